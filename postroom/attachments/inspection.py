"""What may be attached: looks at the bytes, because the declared type and the name are only claims."""

import re
from pathlib import PurePosixPath

# Names that desktop and mail clients run on a click (the list Gmail and Outlook refuse).
RUNNABLE_ENDINGS = frozenset(
    (
        "ade",
        "adp",
        "apk",
        "appx",
        "appxbundle",
        "bat",
        "cab",
        "chm",
        "cmd",
        "com",
        "cpl",
        "dll",
        "dmg",
        "ex",
        "ex_",
        "exe",
        "hta",
        "img",
        "ins",
        "iso",
        "isp",
        "jar",
        "js",
        "jse",
        "lib",
        "lnk",
        "mde",
        "msc",
        "msi",
        "msix",
        "msixbundle",
        "msp",
        "mst",
        "nsh",
        "pif",
        "ps1",
        "reg",
        "scr",
        "sct",
        "sh",
        "shb",
        "sys",
        "vb",
        "vbe",
        "vbs",
        "vhd",
        "vhdx",
        "vxd",
        "wsc",
        "wsf",
        "wsh",
        "xll",
    )
)
RUNNABLE_TYPES = frozenset(
    {
        "application/x-msdownload",
        "application/x-msdos-program",
        "application/x-dosexec",
        "application/x-executable",
        "application/x-elf",
        "application/x-mach-binary",
        "application/x-sh",
        "application/x-msi",
        "application/java-archive",
        "application/hta",
        "application/vnd.microsoft.portable-executable",
        "application/javascript",
        "text/javascript",
        "application/x-javascript",
    }
)
RUNNABLE_STARTS = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xcf\xfa\xed\xfe",
)

# Declared type -> what the bytes then begin with.
SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/bmp": (b"BM",),
    "image/webp": (b"RIFF",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "application/pdf": (b"%PDF-",),
    "application/zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "application/gzip": (b"\x1f\x8b",),
}
OPEN_DOCUMENTS = ("application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument.")

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII)
_COMPOSITE = ("multipart/", "message/")  # types whose bytes are mail again; they cannot be carried as base64
_MARKUP = re.compile(rb"\s*(?:<!doctype html|<html|<script|<body|<iframe)", re.IGNORECASE)
_MARKUP_TYPES = frozenset(
    {"text/html", "application/xhtml+xml", "text/plain", "image/svg+xml", "text/xml", "application/xml"}
)


def objection(filename: str, content_type: str, content: bytes) -> str | None:
    """Return why this may not be attached, as a sentence; None when it may. The type is given in lower case."""
    if not _TYPE.fullmatch(content_type) or content_type.startswith(_COMPOSITE):
        return f"{content_type[:80]!r} is no content type of a file."
    if content_type in RUNNABLE_TYPES or PurePosixPath(filename.rstrip(". ")).suffix[1:].lower() in RUNNABLE_ENDINGS:
        return "Programs and scripts cannot be attached."
    if content.startswith(RUNNABLE_STARTS):
        return "The content is a program or a script."
    if not _looks_like(content_type, content):
        return f"The content is not {content_type}."
    return None


def _looks_like(content_type: str, content: bytes) -> bool:
    """Compare the bytes with what the type promises, where it promises something."""
    expected = SIGNATURES.get(content_type)
    if expected is None and content_type.startswith(OPEN_DOCUMENTS):
        expected = SIGNATURES["application/zip"]
    if expected is not None:
        return content.startswith(expected) and (content_type != "image/webp" or content[8:12] == b"WEBP")
    return content_type in _MARKUP_TYPES or not _MARKUP.match(content)
