"""The guard on outbound connections: which addresses channels and probes may reach.

Public addresses are open; private, loopback, link-local and metadata addresses only where
``TOCSIN_OUTBOUND_ALLOW`` names them. A host is resolved once, and the connection goes to the very
address that was checked, so that a second DNS answer cannot slip past.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from tocsin.core import config
from tocsin.core.errors import Forbidden, Misconfigured, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_SPECIAL = ipaddress.ip_network(
    "192.0.0.0/24"
)  # older Pythons call it global; a cloud's metadata lives there
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Allowed:
    """What may be reached besides public addresses."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    hosts: frozenset[str]

    @classmethod
    def read(cls, entries: Iterable[str]) -> "Allowed":
        """Read CIDRs and host names. Raises Misconfigured for a malformed CIDR."""
        networks, hosts = [], set()
        for entry in entries:
            if "/" in entry or _is_address(entry):
                try:
                    networks.append(ipaddress.ip_network(entry, strict=False))
                except ValueError as error:
                    raise Misconfigured(f"TOCSIN_OUTBOUND_ALLOW: {error}") from error
            else:
                hosts.add(entry.lower())
        return cls(tuple(networks), frozenset(hosts))

    def permits(self, host: str, address: str) -> bool:
        """Whether this address of this host may be reached."""
        plain = _read_address(address)
        if _public(plain) or host.lower() in self.hosts:
            return True
        return any(plain in network for network in self.networks)

    def check(self, host: str, address: str) -> None:
        """Raise Forbidden unless this address of this host may be reached."""
        if self.permits(host, address):
            return
        plain = _read_address(address)
        raise Forbidden(
            f"{host} is at {plain}, which is not a public address; to allow it, "
            f"add it to TOCSIN_OUTBOUND_ALLOW (a host name or a CIDR such as {plain}/{plain.max_prefixlen})"
        )


def allowed() -> Allowed:
    """What the environment allows now."""
    return Allowed.read(config.words("TOCSIN_OUTBOUND_ALLOW"))


async def resolve(host: str, port: int, allow: Allowed) -> str:
    """Resolve a host to one address that was checked. Raises Unavailable or Forbidden."""
    return (await resolve_all(host, port, allow))[0]


async def resolve_all(host: str, port: int, allow: Allowed) -> list[str]:
    """Resolve a host to those of its addresses that may be reached. Raises Unavailable where it has
    none at all, Forbidden where none may be reached."""
    try:
        addresses = [host] if _is_address(host) else await _look_up(host, port)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"cannot resolve {host}: {error}") from error
    reachable = [address for address in addresses if allow.permits(host, address)]
    if not reachable:
        allow.check(host, addresses[0])  # raises, in words
    return reachable


async def _look_up(host: str, port: int) -> list[str]:
    """The addresses of a name. In a thread of its own: a pool's few would all wait on one dead name
    server, and every other name with them."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str], error: Exception | None) -> None:
        if found.done():
            return  # whoever asked has given up
        if error is None:
            found.set_result(addresses)
        else:
            found.set_exception(error)

    def ask() -> None:
        addresses, failed = [], None
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            failed = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, addresses, failed)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    return await found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address in _SPECIAL:
        return False
    return isinstance(address, ipaddress.IPv4Address) or not address.is_site_local


def _read_address(text: str) -> Address:
    """An address without its zone; IPv4 addresses that travel inside IPv6 ones are unwrapped."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour:
            return address.sixtofour
    return address
