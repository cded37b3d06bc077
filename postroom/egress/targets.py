"""The URLs a tenant may name: one strict grammar, so that the check and the connection read the same thing."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from postroom.egress.reach import is_public
from postroom.errors import Invalid

URL_LENGTH = 2048
HTTP_PORTS = {"http": 80, "https": 443}
FIRST_FREE_PORT = 1024
LAST_PORT = 65535
# Services that speak to whoever writes lines at them, and are never a web server: databases, caches, brokers, desktops.
CLOSED_PORTS = frozenset(
    {1433, 1521, 2049, 2375, 2376, 2379, 3306, 3389, 4369, 5432, 5672, 5900, 5984, 6000, 6379, 6443, 6667, 8086}
    | {9042, 9092, 9200, 9300, 10250, 11211, 27017}
)

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$&-;=@-Z_a-z~%]*)?(?P<query>\?[!$&-;=?@-Z_a-z~%]*)?",
    re.ASCII | re.IGNORECASE,
)
_ESCAPE = re.compile(r"%(?![0-9a-f]{2})|%(?:0[0-9a-f]|1[0-9a-f]|7f)", re.ASCII | re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_INSIDE = frozenset({"localhost", "local", "internal", "intranet", "lan", "home", "arpa", "corp", "onion"})
NAME_LENGTH = 253


@dataclass(frozen=True, slots=True)
class Target:
    """One URL taken apart; `host` is lower case, without brackets; `path` holds the query too."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them: the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTP_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str, *, public_only: bool) -> Target:
    """Read a URL and refuse what no tenant should name.

    With `public_only` it must be https and must not be written as an address off the public network. Names are
    resolved and checked when something is sent, not here.

    Raises:
        Invalid: `url_not_allowed`, with a sentence that says why.
    """
    found = _URL.fullmatch(url) if len(url) <= URL_LENGTH else None
    if found is None or _ESCAPE.search(url):
        raise _refused("Write an http or https URL of plain ASCII, without user, fragment or control characters.")
    scheme = found["scheme"].lower()
    if public_only and scheme != "https":
        raise _refused("Only https is allowed.")
    host = _host(found["host"].lower(), public_only=public_only)
    port = int(found["port"] or HTTP_PORTS[scheme])
    if port in CLOSED_PORTS or not (port in HTTP_PORTS.values() or FIRST_FREE_PORT <= port <= LAST_PORT):
        raise _refused("This port is not allowed.")
    return Target(scheme, host, port, (found["path"] or "/") + (found["query"] or ""))


def _host(text: str, *, public_only: bool) -> str:
    """Names and canonical addresses only: `0x7f.1` and `2130706433` are addresses to some readers, names to others."""
    if text.startswith("["):
        return _address(IPv6Address, text[1:-1], public_only=public_only)
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _address(IPv4Address, text, public_only=public_only)
    if len(text) > NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("The host is not a plain name; write international names as xn--...")
    if public_only and (len(labels) == 1 or labels[-1] in _INSIDE):
        raise _refused("This name belongs to a private network.")
    return text


def _address(kind: type[IPv4Address] | type[IPv6Address], text: str, *, public_only: bool) -> str:
    try:
        address = kind(text)
    except AddressValueError:
        raise _refused("The host is not an address as it is usually written.") from None
    if public_only and not is_public(str(address)):
        raise _refused("This address is not on the public network.")
    return str(address)


def _refused(why: str) -> Invalid:
    return Invalid(why, code="url_not_allowed")
