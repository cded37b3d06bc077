"""Keeps a server that a tenant named off our own network: it is resolved once, checked, and that address connected."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

# Own tables: before 3.11.10 the interpreter calls several of these global (CVE-2024-4032).
_CLOSED_V4 = [
    IPv4Network("0.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.0.2.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("198.18.0.0/15"),
    IPv4Network("198.51.100.0/24"),
    IPv4Network("203.0.113.0/24"),
    IPv4Network("224.0.0.0/3"),
]
_OPEN_V6 = IPv6Network("2000::/3")
# Teredo, documentation, 6to4 and the other ranges of 2000::/3 that are not somebody's network or hide an IPv4 address.
_CLOSED_V6 = [IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]

# What the resolver says of one address: family, kind, protocol, canonical name, and the address itself.
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


class BlockedError(OSError):
    """The host stands, at least in part, where a tenant's server may not be."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public network and hides no other address in it."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        return ip in _OPEN_V6 and not any(ip in block for block in _CLOSED_V6)
    return not any(ip in block for block in _CLOSED_V4)


async def resolve(host: str, port: int, *, public_only: bool) -> Sequence[AddressInfo]:
    """Ask once where a host is; with `public_only`, a single address elsewhere blocks all of them.

    Raises:
        BlockedError: one of them is not public.
        OSError: the name does not resolve.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if public_only and not all(is_public(str(address[0])) for *_, address in found):
        raise BlockedError("The server is not on the public network.")
    return found


async def connect_public(host: str, port: int) -> socket.socket:
    """Open a connection to a host all of whose addresses are public.

    Raises:
        BlockedError: one of them is not.
        OSError: the name does not resolve, or no address answers.
    """
    found = await resolve(host, port, public_only=True)
    failure = OSError("The name has no address.")
    for family, kind, protocol, _, address in found:
        try:
            return await _connected(socket.socket(family, kind, protocol), address)
        except OSError as error:
            failure = error
    raise failure


async def _connected(sock: socket.socket, address: tuple[Any, ...]) -> socket.socket:
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
