"""Refuses query parameters that nothing would read: a misspelt filter must not answer with everything."""

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute


def check_query(request: Request) -> None:
    """Refuse what the route of this request takes no notice of.

    Raises:
        RequestValidationError: `unknown_parameter`, for each of them.
    """
    if not request.scope["query_string"]:
        return
    unknown = sorted(set(request.query_params) - _known(request.scope["route"]))
    if unknown:
        detail = "This route takes no such parameter."
        raise RequestValidationError(
            [{"type": "unknown_parameter", "loc": ("query", one), "msg": detail} for one in unknown]
        )


def _known(route: APIRoute) -> frozenset[str]:
    """Return the names of the query parameters a route reads."""
    return frozenset(one.alias for one in get_flat_params(route.dependant) if isinstance(one.field_info, Query))
