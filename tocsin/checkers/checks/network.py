"""Whether hosts are reached, and whether the interfaces lose what they carry."""

import math
import time
from typing import Final

import psutil
from pydantic import Field

from tocsin.checkers.checks import (
    CRITICAL,
    OK,
    UNKNOWN,
    BaseChecker,
    CheckResult,
    Finding,
    Thresholds,
    level,
    summary,
)
from tocsin.checkers.dial import AT_ONCE, deadline, dial, host_and_port, left, reach, resolved, side_by_side
from tocsin.checkers.icmp import echo
from tocsin.core.errors import Rejected, Unavailable

COUNTERS: Final = {"errors": ("errin", "errout"), "drops": ("dropin", "dropout")}
Counts = dict[str, dict[str, int]]  # of each interface: errors, drops


class Config(Thresholds):
    warning: float = Field(default=1, description="Errors a second on an interface that are a warning")
    critical: float = Field(default=10, description="Errors a second on an interface that are critical")
    drops_warning: float = Field(default=100, description="Packets dropped a second that are a warning")
    drops_critical: float = Field(default=1_000, description="Packets dropped a second that are critical")
    hosts: list[str] = Field(
        default=[],
        max_length=100,
        description="Hosts to reach: host:port is connected to by TCP, a host alone is pinged",
    )
    interfaces: list[str] = Field(
        default=[], description="Interfaces whose link must be up; without any, all are looked at for losses"
    )


class Checker(BaseChecker[Config]):
    """Hosts that must answer, links that must be up, errors and drops a second since the last look."""

    Config = Config
    everywhere = True
    _last: tuple[float, Counts] = (0.0, {})

    def check(self) -> CheckResult:
        findings: list[Finding] = []
        metrics: dict[str, float] = {}
        self._hosts(findings, metrics)
        self._links(findings)
        self._losses(findings, metrics)
        well = "every host answers, " if self.config.hosts else ""
        status, message = summary(findings, well + "no interface loses packets to speak of")
        return CheckResult("network", status, message, metrics)

    def _hosts(self, findings: list[Finding], metrics: dict[str, float]) -> None:
        rounds = math.ceil(len(self.config.hosts) / AT_ONCE)  # many dead hosts must leave time for the others

        def look(host: str) -> Finding:
            until = deadline(self.config.timeout / rounds)
            try:
                metrics[f"latency_ms[{host}]"] = round(self._reached(host, until) * 1000, 3)
            except (PermissionError, Rejected) as error:
                return UNKNOWN, f"{host}: {error}"
            except Unavailable as error:
                return CRITICAL, str(error)
            except OSError as error:
                return CRITICAL, f"{host} is not reached: {error.strerror or error or 'no answer in time'}"
            return OK, ""

        findings += side_by_side(look, self.config.hosts)

    def _reached(self, host: str, until: float) -> float:
        """Seconds until a host, or a port of it, answered."""
        allow, began = reach(self.trusted), time.monotonic()
        if host.startswith("[") or host.count(":") == 1:
            dial(*host_and_port(host), until, allow).sock.close()
            return time.monotonic() - began
        return echo(resolved(host, 0, until, allow)[0], left(until))

    def _links(self, findings: list[Finding]) -> None:
        known = psutil.net_if_stats() if self.config.interfaces else {}
        for name in self.config.interfaces:
            if name not in known:
                findings.append((CRITICAL, f"there is no interface {name}"))
            elif not known[name].isup:
                findings.append((CRITICAL, f"{name} is down"))

    def _losses(self, findings: list[Finding], metrics: dict[str, float]) -> None:
        now, counts = time.monotonic(), self._counts()
        seconds, before = now - self._last[0], self._last[1]
        self._last = (now, counts)
        metrics["interfaces"] = float(len(counts))
        limits = self.config
        for name in counts.keys() & before.keys():
            rates = {
                what: max(0, counts[name][what] - before[name][what]) / max(seconds, 1e-3)
                for what in COUNTERS
            }
            metrics |= {f"{what}_per_second[{name}]": rate for what, rate in rates.items()}
            findings.append((limits.status(rates["errors"]), f"{name} has {rates['errors']:.1f} errors/s"))
            status = level(rates["drops"], limits.drops_warning, limits.drops_critical)
            findings.append((status, f"{name} drops {rates['drops']:.0f} packets/s"))

    def _counts(self) -> Counts:
        return {
            name: {what: sum(getattr(io, field) for field in fields) for what, fields in COUNTERS.items()}
            for name, io in psutil.net_io_counters(pernic=True, nowrap=False).items()
            if name in self.config.interfaces or not (self.config.interfaces or name.startswith("lo"))
        }
