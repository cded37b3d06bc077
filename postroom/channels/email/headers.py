"""Guards and spells what goes into a mail's header. Own code, because the interpreter's has had holes of its own.

CVE-2024-6923 and CVE-2026-1299 let line breaks through the standard library's writer; nothing here depends on it.
"""

import re
from base64 import b64encode
from urllib.parse import quote

from postroom.errors import Invalid

LINE_LIMIT = 998  # RFC 5322 section 2.1.1, without the line break
NAME_LIMIT = 200
FILENAME_LIMIT = 255
CONTENT_ID_LIMIT = 200

_FOLD_AT = 76
_WORD_BYTES = 45  # base64 of 45 bytes in =?utf-8?b??= stays under the 75 of RFC 2047 section 2
# C0, DEL, C1, the two Unicode line separators and lone surrogates, which UTF-8 cannot spell.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FOLDABLE = re.compile(r"[!-~]{1,60}(?: [!-~]{1,60})*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
_PLAIN_FILENAME = re.compile(r"[A-Za-z0-9_()+,=@#&'-](?:[A-Za-z0-9 ._()+,=@#&'-]*[A-Za-z0-9_()+,=@#&'-])?")
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+(?:@[A-Za-z0-9.-]+)?")
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")


def check_subject(text: str) -> str:
    """Return the subject unchanged.

    Raises:
        Invalid: `header_injection`, or `header_too_long` above 998 bytes of UTF-8.
    """
    return _checked("subject", text, LINE_LIMIT)


def check_display_name(text: str) -> str:
    """Return the name unchanged; a name that holds an `@` poses as another address.

    Raises:
        Invalid: `header_injection` or `header_too_long`.
    """
    if "@" in text:
        raise Invalid("A display name must not hold an @.", code="header_injection")
    return _checked("display name", text, NAME_LIMIT)


def check_filename(text: str) -> str:
    """Return the file name unchanged.

    Raises:
        Invalid: `header_injection` or `header_too_long`.
    """
    return _checked("file name", text, FILENAME_LIMIT)


def check_content_id(text: str) -> str:
    """Return the content id unchanged: what stands behind `cid:` in the HTML.

    Raises:
        Invalid: `header_injection` or `header_too_long`.
    """
    _checked("content id", text, CONTENT_ID_LIMIT)
    if not _CONTENT_ID.fullmatch(text):
        raise Invalid("The content id holds a sign that is not allowed.", code="header_injection")
    return text


def check_content_type(text: str) -> str:
    """Return `type/subtype` in lower case, without parameters.

    Raises:
        Invalid: `header_injection`.
    """
    if not _CONTENT_TYPE.fullmatch(text):
        raise Invalid("The content type is not of the form type/subtype.", code="header_injection")
    return text.lower()


def spell_subject(text: str) -> str:
    """Spell a checked text so that a reader gets exactly it back: plain, folded or as encoded words (RFC 2047)."""
    if _FOLDABLE.fullmatch(text) and "=?" not in text:
        return _folded(text) if len(text) > _FOLD_AT - len("Subject: ") else text
    return _encoded_words(text)


def spell_mailbox(name: str, address: str) -> str:
    """Spell a checked display name and address as RFC 5322 wants them."""
    if not name:
        return address
    if _ATOMS.fullmatch(name) and "=?" not in name:
        phrase = name
    elif name.isascii() and "=?" not in name and name == name.strip():
        phrase = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        phrase = _encoded_words(name)
    return f"{phrase}\r\n <{address}>" if len(phrase) + len(address) > _FOLD_AT else f"{phrase} <{address}>"


def spell_filename(text: str) -> str:
    """Spell a checked file name as the parameter of Content-Disposition (RFC 2231 where it is not plain)."""
    if not text:
        return ""
    if _PLAIN_FILENAME.fullmatch(text):
        return f';\r\n filename="{text}"'
    return f";\r\n filename*=utf-8''{quote(text, safe='')}"


def spell_unsubscribe(url: str | None) -> str:
    """Spell the two fields that let a mail program unsubscribe with one click (RFC 2369, RFC 8058), as whole lines.

    RFC 8058 section 3.1 wants https: without it there is only the link, for people.
    """
    if url is None:
        return ""
    link = f"List-Unsubscribe: <{url}>\r\n"
    return link + "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url.startswith("https://") else link


def _checked(what: str, text: str, limit: int) -> str:
    if _FORBIDDEN.search(text):
        raise Invalid(f"The {what} holds a line break or another control character.", code="header_injection")
    if len(text) > limit or len(text.encode()) > limit:
        raise Invalid(f"The {what} is longer than {limit} bytes.", code="header_too_long")
    return text


def _folded(text: str) -> str:
    lines, room = [""], _FOLD_AT - len("Subject: ")
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _FOLD_AT - 1
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _encoded_words(text: str) -> str:
    words, word = [], b""
    for character in text:
        octets = character.encode()
        if len(word) + len(octets) > _WORD_BYTES:
            words.append(word)
            word = b""
        word += octets
    words.append(word)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words if word)
