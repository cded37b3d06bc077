"""Reads records that are lists of tags: `v=DKIM1; k=rsa; p=...` (RFC 6376 section 3.2, RFC 9989 section 4.7)."""

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def read_tags(text: str) -> dict[str, str] | None:
    """Return the tags by name, in the order they stand; None when it is no such list."""
    tags: dict[str, str] = {}
    for part in text.strip().removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name) or name in tags:
            return None
        tags[name] = value.strip()
    return tags
