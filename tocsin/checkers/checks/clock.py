"""Whether the clock is right, by time servers (SNTP, RFC 5905) or by what keeps it here."""

import os
import re
import socket
import statistics
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tocsin.checkers.checks import OK, UNKNOWN, WARNING, BaseChecker, CheckResult, Thresholds
from tocsin.checkers.dial import (
    AT_ONCE,
    deadline,
    host_and_port,
    left,
    reach,
    resolved,
    side_by_side,
    unavailable,
)
from tocsin.checkers.outside import program, run
from tocsin.core.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from tocsin.core.outbound import Allowed

LENGTH: Final = 48
CLIENT, SERVER, VERSION = 3, 4, 4
UNSYNCHRONIZED: Final = 3  # a leap indicator
LAST_STRATUM: Final = 15
EPOCH: Final = 2_208_988_800  # seconds from NTP's 1900 to Unix' 1970
WHOLE: Final = 1 << 64


class Answer(NamedTuple):
    """How far the clock here is ahead of a server's, and how long the question took."""

    ahead_seconds: float
    delay_seconds: float


class Config(Thresholds):
    warning: float = Field(default=0.5, description="Seconds off that are a warning")
    critical: float = Field(default=5, description="Seconds off that are critical")
    servers: list[str] = Field(
        default=[],
        max_length=AT_ONCE,
        description="Time servers to ask, host or host:port; the median counts. "
        "Without any, chronyc or timedatectl says whether the clock is kept right",
    )


class Checker(BaseChecker[Config]):
    """How far the clock is off, by the median of several servers."""

    Config = Config

    def check(self) -> CheckResult:
        return self._by_servers() if self.config.servers else self._by_keeper(self.config.timeout * 0.8)

    def _by_servers(self) -> CheckResult:
        until, allow = deadline(self.config.timeout), reach(self.trusted)

        def look(server: str) -> Answer | str:
            try:
                return ask(server, until, allow)
            except (Unavailable, Rejected) as error:
                return str(error)

        servers = list(dict.fromkeys(self.config.servers))
        asked = dict(zip(servers, side_by_side(look, servers), strict=True))
        answers = {server: answer for server, answer in asked.items() if isinstance(answer, Answer)}
        silent = [answer for answer in asked.values() if isinstance(answer, str)]
        metrics: dict[str, float] = {"servers": float(len(answers))}
        if not answers:
            return CheckResult(
                "clock", UNKNOWN, f"no server tells the time; {'; '.join(silent)[:500]}", metrics
            )
        for server, answer in answers.items():
            metrics[f"offset_seconds[{server}]"] = answer.ahead_seconds
            metrics[f"delay_seconds[{server}]"] = answer.delay_seconds
        return self._off(statistics.median(a.ahead_seconds for a in answers.values()), metrics, silent)

    def _off(self, ahead: float, metrics: dict[str, float], silent: list[str]) -> CheckResult:
        side = "ahead" if ahead > 0 else "behind"
        said = "; ".join([f"the clock is {abs(ahead):.3f} s {side}", *silent])[:500]
        return CheckResult(
            "clock", self.config.status(abs(ahead)), said, {"offset_seconds": ahead, **metrics}
        )

    def _by_keeper(self, seconds: float) -> CheckResult:
        if chronyc := program("chronyc"):
            said = run(chronyc, "-n", "tracking", seconds=seconds).require()
            off = re.search(r"^System time\s*: ([\d.]+) seconds (fast|slow)", said, re.M)
            if off is None or "Not synchronised" in said:
                return CheckResult("clock", WARNING, "chrony has no time server", {"synchronized": 0.0})
            ahead = float(off[1]) * (1 if off[2] == "fast" else -1)
            return self._off(ahead, {"synchronized": 1.0}, [])
        if timedatectl := program("timedatectl"):
            kept = "NTPSynchronized=yes" in run(timedatectl, "show", seconds=seconds).require()
            told = "the clock is synchronized" if kept else "the clock is not synchronized"
            return CheckResult("clock", OK if kept else WARNING, told, {"synchronized": float(kept)})
        return CheckResult(
            "clock", UNKNOWN, "no servers are given, and there is neither chronyc nor timedatectl"
        )


def ask(server: str, until: float, allow: "Allowed | None") -> Answer:
    """Ask one server. Raises Unavailable where it does not answer, or not with a time to be used."""
    host, port = host_and_port(server, 123)
    address = resolved(host, port, until, allow)[0]
    # The time we send comes back as it is: random, it tells an answer from one made up, and nothing about us.
    token = os.urandom(8)
    with unavailable(server), socket.socket(_family(address), socket.SOCK_DGRAM) as asking:
        asking.connect((address, port))  # so that only it may answer, and a refusal is told
        sent_at, began = _ntp(time.time()), time.monotonic()
        asking.send(bytes([VERSION << 3 | CLIENT]) + bytes(39) + token)
        while True:
            asking.settimeout(left(until))
            reply = asking.recv(1_024)
            if len(reply) >= LENGTH and reply[24:32] == token:
                return read(server, reply, sent_at, time.monotonic() - began)


def read(server: str, reply: bytes, sent_at: int, took: float) -> Answer:
    """What a reply to a question of ``sent_at`` says, which came ``took`` seconds later."""
    leap, mode, stratum = reply[0] >> 6, reply[0] & 7, reply[1]
    received, sent = (int.from_bytes(reply[at : at + 8], "big") for at in (32, 40))
    if not stratum:
        raise Unavailable(f"{server} refuses: {reply[12:16].decode('ascii', 'replace').rstrip(chr(0))}")
    if mode != SERVER or leap == UNSYNCHRONIZED or stratum > LAST_STRATUM or not sent:
        raise Unavailable(f"{server} does not know the time itself")
    came_at = (sent_at + int(took * 2**32)) % WHOLE
    behind = (_between(sent_at, received) + _between(came_at, sent)) / 2
    return Answer(-behind, max(0.0, took - _between(received, sent)))


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _ntp(seconds: float) -> int:
    return int((seconds + EPOCH) * 2**32) % WHOLE


def _between(earlier: int, later: int) -> float:
    """Seconds from one NTP time to another, also where the era's end in 2036 lies between."""
    return ((later - earlier + WHOLE // 2) % WHOLE - WHOLE // 2) / 2**32
