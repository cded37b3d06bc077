"""Which variant of a template somebody gets: by weight, and the same one every time."""

import hashlib

from postroom.templates.casting import Casting
from postroom.templates.content import Content, Variant

_DRAW_BYTES = 8


def choose(content: Content, casting: Casting, recipient: str) -> Variant:
    """Return a recipient's variant; it depends on who they are and on the version, on no clock and no order."""
    if len(content.variants) == 1:
        return content.variants[0]
    total = sum(variant.weight for variant in content.variants)
    point = draw(f"{casting.template_id.hex} {casting.version}", recipient) * total >> 8 * _DRAW_BYTES
    for variant in content.variants:
        point -= variant.weight
        if point < 0:
            return variant
    raise AssertionError("A point below the sum of all weights lies in one of them.")


def draw(game: str, recipient: str) -> int:
    """Return 64 bits that are evenly spread over recipients, and unlike any other game's."""
    digest = hashlib.sha256(f"{game}\0{recipient}".encode()).digest()
    return int.from_bytes(digest[:_DRAW_BYTES])
