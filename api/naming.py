"""Routes whose paths name people and tags: a slash that is written `%2F` belongs to a name and separates nothing."""

import re
from typing import Any
from urllib.parse import unquote

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

SLASH = re.compile("%2f", re.IGNORECASE)
STAND_IN = "\0"  # which is in no name


class NamingRoute(APIRoute):
    """A route that is found by the path as it was written.

    A server decodes the path before it is matched, so that `/contacts/a%2Ftags%2Fb` would tag `a` and not write a
    contact.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match with the slashes of names out of the way, and put them back into what was found."""
        written = scope.get("raw_path", b"").decode("latin-1")
        if not SLASH.search(written) or "%00" in written:
            return super().matches(scope)
        path = unquote(SLASH.sub("%00", written.partition("?")[0]))
        match, found = super().matches({**scope, "path": path})
        if "path_params" in found:
            found["path_params"] = {name: _whole(value) for name, value in found["path_params"].items()}
        return match, found


def _whole(value: Any) -> Any:  # noqa: ANN401 - as the route reads it
    return value.replace(STAND_IN, "/") if isinstance(value, str) else value
