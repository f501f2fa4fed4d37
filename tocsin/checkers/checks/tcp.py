"""Whether something listens, how soon it answers, and what it says."""

import time

from pydantic import Field

from tocsin.checkers.checks import CRITICAL, BaseChecker, CheckResult, Finding, Thresholds, summary
from tocsin.checkers.dial import Connection, deadline, dial, host_and_port, reach, side_by_side, unavailable
from tocsin.core.errors import Unavailable

_MOST = 65_536


class Config(Thresholds):
    hosts: list[str] = Field(min_length=1, description="Where to connect to, as host:port")
    warning: float = Field(default=500, description="Milliseconds to connect from which it is a warning")
    critical: float = Field(default=3_000, description="Milliseconds to connect from which it is critical")
    send: str = Field(default="", description="What to say once connected; \\r and \\n stand for line breaks")
    expect: str = Field(default="", description="What must come back")


class Checker(BaseChecker[Config]):
    """Connects to each host and port; where asked to, sends something and waits for what is expected."""

    Config = Config

    def check(self) -> CheckResult:
        until, metrics = deadline(self.config.timeout), dict[str, float]()

        def look(host: str) -> Finding:
            try:
                took = metrics[f"latency_ms[{host}]"] = self._connected(host, until)
            except Unavailable as error:
                return CRITICAL, str(error)
            return self.config.status(took), f"{host} connects in {took:.1f} ms"

        found = side_by_side(look, self.config.hosts)
        status, message = summary(found, "; ".join(told for _, told in found))
        return CheckResult("tcp", status, message, metrics)

    def _connected(self, host: str, until: float) -> float:
        name, port = host_and_port(host)
        began = time.monotonic()
        with dial(name, port, until, reach(self.trusted)) as connection:
            took = (time.monotonic() - began) * 1000
            with unavailable(connection.where):
                self._talk(connection)
        return round(took, 3)

    def _talk(self, connection: Connection) -> None:
        if said := self.config.send.replace("\\r", "\r").replace("\\n", "\n"):
            connection.sendall(said.encode())
        wanted = self.config.expect.encode()
        if not wanted:
            return
        heard = connection.read_until(lambda heard: wanted in heard, _MOST)
        if wanted not in heard:
            said = heard[:60].decode("utf-8", "replace")
            raise EOFError(f"it said {said!r}, and not {self.config.expect!r}")
