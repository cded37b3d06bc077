"""Reads the arguments of MAIL and RCPT (RFC 5321, 1870, 6152, 6531)."""

import re
from dataclasses import dataclass

ADDRESS_LIMIT = 320

_PATH = re.compile(r"(?i)(?:FROM|TO):[ ]?<([^<>\x00-\x20\x7f]*)>(?: +(.*))?", re.ASCII)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e]+))?")
_BODY_TYPES = frozenset({"7BIT", "8BITMIME"})


class Refusal(Exception):
    """The argument cannot be taken; the text is the whole reply."""


@dataclass(frozen=True, slots=True)
class ReversePath:
    """Where MAIL says the message comes from, and in how many bytes."""

    address: str
    size: int = 0
    utf8: bool = False


def read_mail(argument: str) -> ReversePath:
    """Read `FROM:<a@b> SIZE=1 BODY=8BITMIME SMTPUTF8`; an empty path is a bounce and fine.

    Raises:
        Refusal: with the reply to give.
    """
    address, parameters = _split(argument, "FROM")
    size, utf8 = 0, False
    for name, value in parameters.items():
        if name == "SIZE" and value.isdigit() and len(value) < ADDRESS_LIMIT:
            size = int(value)
        elif name == "SMTPUTF8" and not value:
            utf8 = True
        elif name == "SIZE" or (name == "BODY" and value.upper() not in _BODY_TYPES):
            raise Refusal("501 5.5.4 That is no value for this parameter")
        elif name != "BODY":
            raise Refusal("555 5.5.4 This parameter is not known here")
    _check(address, utf8=utf8, code="553 5.1.7")
    return ReversePath(address, size, utf8)


def read_rcpt(argument: str, *, utf8: bool) -> str:
    """Read `TO:<a@b>`.

    Raises:
        Refusal: with the reply to give.
    """
    address, parameters = _split(argument, "TO")
    if parameters:
        raise Refusal("555 5.5.4 This parameter is not known here")
    _check(address, utf8=utf8, code="553 5.1.3")
    local, at, domain = address.rpartition("@")
    if not (at and local and domain) and address.lower() != "postmaster":
        raise Refusal("553 5.1.3 This is no mailbox")
    return address


def _split(argument: str, word: str) -> tuple[str, dict[str, str]]:
    found = _PATH.fullmatch(argument)
    if found is None or not argument.upper().startswith(word):
        raise Refusal(f"501 5.5.4 Say {word}:<address>")
    parameters: dict[str, str] = {}
    for text in (found[2] or "").split():
        parameter = _PARAMETER.fullmatch(text)
        if parameter is None or parameter[1].upper() in parameters:
            raise Refusal("501 5.5.4 This parameter cannot be read")
        parameters[parameter[1].upper()] = parameter[2] or ""
    return found[1], parameters


def _check(address: str, *, utf8: bool, code: str) -> None:
    if len(address.encode()) > ADDRESS_LIMIT:
        raise Refusal(f"{code} This address is too long")
    if not (utf8 or address.isascii()):
        raise Refusal("553 5.6.7 This address needs SMTPUTF8")
