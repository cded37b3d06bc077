"""Asks DNS: answers, definite absence, and silence, which proves nothing."""

from collections.abc import Sequence
from datetime import timedelta

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.nameserver import Do53Nameserver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT
from dns.resolver import NXDOMAIN, NoAnswer

from postroom.errors import Invalid

PORT = 53


class Silent(Exception):
    """Nobody answered in time, or not so that it could be understood."""


class Names:
    """A resolver with our patience; without servers of its own it asks those of the machine."""

    def __init__(self, servers: str, patience: timedelta) -> None:
        """Take servers as `address` or `address:port`, separated by blanks, and how long one question may take."""
        self._servers = [_server(one) for one in servers.split()]
        self._patience = patience.total_seconds()
        self._resolver: Resolver | None = None

    async def texts(self, name: str) -> Sequence[str]:
        """Return the TXT records of a name, the strings of each put together; none when there are none.

        Raises:
            Silent: nobody answered.
        """
        found = await self._ask(name, "TXT")
        return [b"".join(one.strings).decode("ascii", "replace") for one in found if isinstance(one, TXT)]

    async def exchangers(self, name: str) -> Sequence[str]:
        """Return the hosts that take a domain's mail, the first choice first, without the dot at their end.

        A domain that takes none says so by a single dot (RFC 7505), which is an empty name here.

        Raises:
            Silent: nobody answered.
        """
        found = [one for one in await self._ask(name, "MX") if isinstance(one, MX)]
        found.sort(key=lambda one: one.preference)
        return [one.exchange.to_text(omit_final_dot=True).lower().removesuffix(".") for one in found]

    async def has_host(self, name: str) -> bool:
        """Whether a name has an address.

        Raises:
            Silent: nobody answered.
        """
        return bool(await self._ask(name, "A") or await self._ask(name, "AAAA"))

    async def _ask(self, name: str, kind: str) -> Sequence[object]:
        try:
            if self._resolver is None:
                self._resolver = self._open()
            answer = await self._resolver.resolve(f"{name}.", kind, lifetime=self._patience, search=False)
        except (NXDOMAIN, NoAnswer):
            return []
        except (DNSException, OSError) as error:
            raise Silent(f"{kind} {name}: {type(error).__name__}") from error
        return list(answer.rrset or [])

    def _open(self) -> Resolver:
        resolver = Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = self._servers
        resolver.timeout = self._patience / 2  # of one try, so that there is time for another one
        return resolver


def _server(text: str) -> Do53Nameserver:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", str(PORT))
    try:
        return Do53Nameserver(host.strip("[]"), int(port))
    except ValueError as error:
        raise Invalid("A DNS server is an address, perhaps with :port.", code="invalid_dns_server") from error
