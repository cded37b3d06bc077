"""Decides what counts as an e-mail address: one mailbox of the public mail system, spelt as RCPT will carry it."""

import re
from dataclasses import dataclass
from functools import lru_cache

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from postroom.channels.email.headers import check_display_name
from postroom.errors import Invalid

# Reserved after the library's list was made: .internal (ICANN, July 2024) and .alt (RFC 9476).
REFUSED_DOMAINS = frozenset(SPECIAL_USE_DOMAIN_NAMES) | {"internal", "alt"}
# Encoded words are decoded inside addresses by some parsers (CPython issue 152519); `%` and `!` are source routes.
_NEVER_IN_AN_ADDRESS = frozenset(' <>(),;"\\')  # what makes a list, a display name or a second command
_REFUSED_IN_LOCAL_PART = ("=?", "%", "!")
# Most addresses: nothing of the local part can be folded, normalised or misread, so only the domain is left to judge.
_ORDINARY = re.compile(r"(?P<local>(?=.{1,64}@)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*)@(?P<domain>[A-Za-z0-9.-]+)")
_ORDINARY_LENGTH = 254  # RFC 5321 section 4.5.3.1.3, less the brackets
# What may stand between the angle brackets of a command without changing it: no blank, control, bracket or list sign.
_WIRE = re.compile(r"""[^\s\x00-\x20\x7f-\xa0<>()\[\],;:\\"@]+@[A-Za-z0-9.-]+""")
_SENDER = re.compile(r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^<>"]*))\s*<(?P<address>[^<>]*)>')


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a message is from: a display name, which may be empty, and an address."""

    name: str
    address: str


def clean_address(text: str) -> str:
    """Return the one spelling of an address that is stored, checked for suppression and given in RCPT.

    The domain becomes lower case and, if it is international, A-labels (RFC 5891); the local part keeps its letters.

    Raises:
        Invalid: `recipient_domain_not_allowed` for a host that is not on the public mail system,
            `invalid_recipient` for everything else that is not one plain address.
    """
    if (plain := _ORDINARY.fullmatch(text)) and len(text) <= _ORDINARY_LENGTH:
        return f"{plain['local']}@{_public_domain(plain['domain'])}"
    return _checked(text)


def _checked(text: str) -> str:
    if not text.isprintable() or _NEVER_IN_AN_ADDRESS.intersection(text):
        raise Invalid("This is not one plain e-mail address.", code="invalid_recipient")
    local_part, at, domain = text.rpartition("@")
    if at and _is_refused(domain):
        raise Invalid("Mail to this domain is not possible.", code="recipient_domain_not_allowed")
    if any(sign in local_part for sign in _REFUSED_IN_LOCAL_PART):
        raise Invalid("The part before the @ holds a sign that is not allowed.", code="invalid_recipient")
    try:
        checked = validate_email(text, strict=True, allow_smtputf8=True, check_deliverability=False)
    except EmailNotValidError as error:
        raise Invalid("This is not one plain e-mail address.", code="invalid_recipient") from error
    address = f"{checked.local_part}@{checked.ascii_domain}"
    if not is_wire_safe(address):
        raise Invalid("This is not one plain e-mail address.", code="invalid_recipient")
    return address


@lru_cache(maxsize=10_000)
def _public_domain(domain: str) -> str:
    """Judge a domain as the library does; many people share one, and judging it costs as much as a request."""
    return _checked(f"a@{domain}").rpartition("@")[2]


def is_wire_safe(address: str) -> bool:
    """Whether the address goes into a command unchanged: the address checked is the address mailed."""
    return _WIRE.fullmatch(address) is not None


@lru_cache(maxsize=1024)
def parse_sender(text: str) -> Sender:
    """Read `Name <a@b>`, `"Name" <a@b>` or `a@b`.

    Raises:
        Invalid: `invalid_sender`, or `header_injection` and `header_too_long` for the name.
    """
    match = _SENDER.fullmatch(text.strip(" "))
    name, address = "", text
    if match:
        quoted = match["quoted"]
        name = match["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        address = match["address"]
    name = re.sub(" +", " ", name).strip(" ")  # runs of blanks count once in a phrase (RFC 5322 section 3.2.2)
    check_display_name(name)
    try:
        return Sender(name, clean_address(address))
    except Invalid as error:
        raise Invalid("The sender is not one plain e-mail address.", code="invalid_sender") from error


def _is_refused(domain: str) -> bool:
    labels = domain.lower().rstrip(".").split(".")
    is_host = len(labels) == 1 or labels[-1].isdigit() or domain.startswith("[")
    return is_host or labels[-1] in REFUSED_DOMAINS
