"""ICMP echo without privileges: Linux' ping sockets, and the ping program where those are not allowed."""

import math
import os
import re
import socket
import struct
import time
from typing import Final

from tocsin.checkers.outside import program, run

_ECHO: Final = {
    socket.AF_INET: (socket.IPPROTO_ICMP, 8),
    socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128),
}


def echo(host: str, seconds: float) -> float:
    """Seconds until a host answered. Raises OSError where it does not, or where nobody may ask."""
    family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0]
    try:
        return _by_socket(family, address, seconds)
    except PermissionError:  # net.ipv4.ping_group_range leaves our group out
        return _by_program(str(address[0]), seconds)


def _by_socket(family: int, address: tuple[str | int, ...] | tuple[int, bytes], seconds: float) -> float:
    protocol, kind = _ECHO[socket.AddressFamily(family)]
    with socket.socket(family, socket.SOCK_DGRAM, protocol) as asking:
        asking.connect(address)
        sent = os.urandom(16)
        began = time.monotonic()
        asking.send(struct.pack("!BBHHH", kind, 0, 0, 0, 1) + sent)  # the kernel fills in checksum and id
        while (left := began + seconds - time.monotonic()) > 0:
            asking.settimeout(left)
            if asking.recv(1_024).endswith(sent):
                return time.monotonic() - began
    raise TimeoutError(f"no answer within {seconds:.3g} s")


def _by_program(address: str, seconds: float) -> float:
    ping = program("ping")
    if ping is None:
        raise PermissionError(
            "ping sockets are not allowed here (net.ipv4.ping_group_range), nor is there ping"
        )
    wait = str(max(1, math.floor(seconds)))
    said = run(ping, "-n", "-q", "-c", "1", "-W", wait, "--", address, seconds=seconds, limit=4_096)
    if said.code:
        raise OSError(" ".join(said.err.split()) or "no answer to ping")
    found = re.search(r"= ([\d.]+)", said.out)
    return float(found[1]) / 1000 if found else 0.0
