"""The guard on outbound connections: which addresses channels and probes may reach.

Public addresses are open; private, loopback, link-local and metadata addresses only where
``TOCSIN_OUTBOUND_ALLOW`` names them. A host is resolved once, and the connection goes to the very
address that was checked, so that a second DNS answer cannot slip past.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.core import config
from tocsin.core.errors import Forbidden, Misconfigured, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
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

    def check(self, host: str, address: str) -> None:
        """Raise Forbidden unless this address of this host may be reached."""
        plain = _plain(ipaddress.ip_address(address.partition("%")[0]))
        if (plain.is_global and not plain.is_multicast) or host.lower() in self.hosts:
            return
        if any(plain in network for network in self.networks):
            return
        raise Forbidden(
            f"{host} is at {plain}, which is not a public address; to allow it, "
            f"add it to TOCSIN_OUTBOUND_ALLOW (a host name or a CIDR such as {plain}/{plain.max_prefixlen})"
        )


def allowed() -> Allowed:
    """What the environment allows now."""
    return Allowed.read(config.words("TOCSIN_OUTBOUND_ALLOW"))


async def resolve(host: str, port: int, allow: Allowed) -> str:
    """Resolve a host to one address that was checked. Raises Unavailable or Forbidden."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"cannot resolve {host}: {error}") from error
    address = str(found[0][4][0])
    allow.check(host, address)
    return address


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _plain(address: Address) -> Address:
    """Unwrap IPv4 addresses that travel inside IPv6 ones."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour:
            return address.sixtofour
    return address
