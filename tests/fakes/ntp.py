"""A time server that keeps to RFC 5905, with a clock that is off by as much as a test wants."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

UNIX_EPOCH = 2_208_988_800
HEADER = 48


@dataclass
class TimeServer:
    """How it answers. Without ``answers`` it keeps silent."""

    ahead: float = 0.0
    stratum: int = 2
    leap: int = 0
    mode: int = 4
    refid: bytes = b"\x7f\x00\x00\x01"
    answers: bool = True
    forged: bool = False  # another's answer comes first
    held: float = 0.0  # seconds it says it took between receiving and sending
    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reply(self, request: bytes) -> bytes:
        """A server's header: what the client sent as its time comes back as the origin."""
        now = time.time() + self.ahead
        version = request[0] >> 3 & 7
        known = 0 < self.stratum < 16
        return b"".join(
            (
                bytes([self.leap << 6 | version << 3 | self.mode, self.stratum, request[2], 0xEC]),
                bytes(8),  # root delay and dispersion
                self.refid,
                timestamp(now - 60) if known else bytes(8),
                request[40:48],
                timestamp(now - self.held),
                timestamp(now) if known or self.stratum == 0 else bytes(8),
            )
        )


def timestamp(seconds: float) -> bytes:
    """NTP's: seconds since 1900, which begin anew in 2036, and their fraction in 32 bits each."""
    return (int((seconds + UNIX_EPOCH) * 2**32) % 2**64).to_bytes(8, "big")


@contextmanager
def time_server(**how: object) -> Iterator[TimeServer]:
    """Serve on a free port."""
    server = TimeServer(**how)  # type: ignore[arg-type]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        server.port = listening.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(server, listening), daemon=True)
        thread.start()
        yield server
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", listening.getsockname())
        thread.join()


def _serve(server: TimeServer, listening: socket.socket) -> None:
    while True:
        request, client = listening.recvfrom(1_024)
        if not request:
            return
        if len(request) < HEADER or request[0] & 7 != 3:
            continue  # not a client's
        server.requests.append(request)
        if server.forged:
            listening.sendto(server.reply(request[:40] + bytes(8)), client)
        if server.answers:
            listening.sendto(server.reply(request), client)
