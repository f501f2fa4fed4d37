"""A receiver that counts: ``python -m bench.sink PORT``. GET answers what it has seen; a POST to ``/hang``
gets no answer.

A webhook of ours or of Alertmanager's is told apart by nothing: each alert in it counts once.
"""

import asyncio
import re
import sys
import time

import uvloop

_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Sink:
    """Counts requests and the alerts in them."""

    def __init__(self) -> None:
        self.requests = 0
        self.alerts = 0
        self.last = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    said = f"{self.requests} {self.alerts} {self.last}".encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
                    continue
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if head.startswith(b"POST /hang"):
                    await asyncio.sleep(3_600)
                self.requests += 1
                self.alerts += body.count(b'"fingerprint"')
                self.last = time.time()
                writer.write(_OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(Sink().serve, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
