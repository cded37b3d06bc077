"""Takes attachments out of a request: base64 to bytes, each looked at, all of them within a cap."""

import base64
import binascii
from collections.abc import Sequence

from postroom.attachments.inspection import objection
from postroom.channels.base import Enclosure
from postroom.errors import Invalid, TooLarge

Packed = tuple[str, str, str, str | None]  # file name, content type, base64, content id


def unpack(packed: Sequence[Packed], limit: int) -> tuple[Enclosure, ...]:
    """Return the files.

    Raises:
        TooLarge: together they have more than `limit` bytes.
        Invalid: one of them is empty, garbled, or of a kind that is not allowed.
    """
    if sum(len(encoded) for _, _, encoded, _ in packed) * 3 // 4 > limit + 3 * len(packed):
        raise TooLarge(f"Attachments have at most {limit} bytes together.")
    content_ids = [content_id for *_, content_id in packed if content_id is not None]
    if len(set(content_ids)) != len(content_ids):
        raise Invalid.at("/attachments", "duplicate_content_id", "A content id is used twice.")
    enclosures = tuple(_unpack_one(position, one) for position, one in enumerate(packed))
    if sum(len(enclosure.content) for enclosure in enclosures) > limit:
        raise TooLarge(f"Attachments have at most {limit} bytes together.")
    return enclosures


def _unpack_one(position: int, packed: Packed) -> Enclosure:
    filename, given_type, encoded, content_id = packed
    pointer = f"/attachments/{position}"
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid.at(f"{pointer}/content", "invalid_base64", "The content is not base64.") from None
    if not content:
        raise Invalid.at(f"{pointer}/content", "attachment_empty", "The file is empty.")
    if "/" in filename or "\\" in filename:
        raise Invalid.at(f"{pointer}/filename", "invalid_filename", "A file name has no path.")
    content_type = given_type.lower()
    if reason := objection(filename, content_type, content):
        raise Invalid.at(pointer, "attachment_type_not_allowed", reason)
    if content_id is not None and not content_type.startswith("image/"):
        raise Invalid.at(
            f"{pointer}/content_id", "attachment_type_not_allowed", "Only images can stand inside the HTML."
        )
    return Enclosure(filename, content_type, content, content_id)
