"""What may be attached is decided by the bytes, the name and the type together."""

import base64

import pytest

from postroom.attachments.inspection import objection
from postroom.attachments.unpacking import unpack
from postroom.errors import Invalid, TooLarge

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("filename", "content_type", "content"),
    [
        ("a.png", "image/png", PNG),
        ("a.jpg", "image/jpeg", b"\xff\xd8\xff\xe0"),
        ("a.webp", "image/webp", b"RIFF\0\0\0\0WEBPVP8 "),
        ("a.pdf", "application/pdf", b"%PDF-1.7"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04.."),
        ("a.txt", "text/plain", b"<html> is how a page begins"),
        ("a.csv", "text/csv", b"a;b\n1;2\n"),
        ("a.ics", "text/calendar", b"BEGIN:VCALENDAR"),
        ("a.bin", "application/octet-stream", b"\0\1\2"),
        ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("no ending", "application/octet-stream", b"x"),
    ],
)
def test_allowed(filename: str, content_type: str, content: bytes) -> None:
    assert objection(filename, content_type, content) is None


@pytest.mark.parametrize(
    ("filename", "content_type", "content"),
    [
        ("a.png", "image/png", b"GIF89a"),
        ("a.png", "image/png", b"MZ\x90"),
        ("a.webp", "image/webp", b"RIFF\0\0\0\0WAVEfmt "),
        ("a.pdf", "application/pdf", b" <html><script>alert(1)</script>"),
        ("a.gif", "application/octet-stream", b"<!DOCTYPE html><p>"),
        ("a.exe", "application/octet-stream", b"x"),
        ("a.PS1", "text/plain", b"x"),
        ("a.exe. .", "text/plain", b"x"),
        ("a.pdf.js", "application/pdf", b"%PDF-1.7"),
        ("a", "application/octet-stream", b"\x7fELF\2"),
        ("a.txt", "text/plain", b"#!/bin/sh\n"),
        ("a.txt", "application/x-msdownload", b"x"),
        ("a.eml", "message/rfc822", b"Subject: x"),
        ("a", "multipart/mixed", b"x"),
        ("a", "text", b"x"),
        ("a", "text/plain; charset=utf-8", b"x"),
        ("a", "text/plain\r\nX: y", b"x"),
    ],
)
def test_refused(filename: str, content_type: str, content: bytes) -> None:
    assert objection(filename, content_type, content)


def packed(content: bytes) -> tuple[str, str, str, str | None]:
    return "a.bin", "application/octet-stream", base64.b64encode(content).decode(), None


def test_the_cap_is_on_bytes_and_exact() -> None:
    assert len(unpack([packed(b"x" * 50), packed(b"x" * 50)], 100)) == 2
    for sizes in ((50, 51), (101,), (10_000,)):
        with pytest.raises(TooLarge):
            unpack([packed(b"x" * size) for size in sizes], 100)


def test_the_place_of_a_bad_file_is_named() -> None:
    with pytest.raises(Invalid) as refusal:
        unpack([packed(b"x"), packed(b"MZ")], 100)
    assert [error.pointer for error in refusal.value.errors] == ["/attachments/1"]
