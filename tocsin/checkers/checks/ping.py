"""Whether hosts answer to ping, and how soon."""

import time
from typing import Final

from pydantic import Field

from tocsin.checkers.checks import (
    CRITICAL,
    BaseChecker,
    CheckResult,
    Finding,
    Thresholds,
    level,
    summary,
    worst,
)  # fmt: skip
from tocsin.checkers.dial import deadline, left, reach, resolved, side_by_side
from tocsin.checkers.icmp import echo
from tocsin.core.errors import Unavailable

_PAUSE: Final = 0.05  # between two pings of one host, so that a queue on the way can drain


class Config(Thresholds):
    hosts: list[str] = Field(min_length=1, description="Hosts to ping")
    warning: float = Field(default=200, description="Mean milliseconds from which it is a warning")
    critical: float = Field(default=1_000, description="Mean milliseconds from which it is critical")
    count: int = Field(default=3, ge=1, le=100, description="How many pings each host gets")
    loss_warning: float = Field(default=20, description="Percent lost from which it is a warning")
    loss_critical: float = Field(default=60, description="Percent lost from which it is critical")


class Checker(BaseChecker[Config]):
    """Pings each host some times: how many of its answers are lost, and how long the others take."""

    Config = Config

    def check(self) -> CheckResult:
        until, metrics = deadline(self.config.timeout), dict[str, float]()

        def look(host: str) -> Finding:
            try:
                address = resolved(host, 0, until, reach(self.trusted))[0]
            except Unavailable as error:
                return CRITICAL, str(error)
            return self._judged(host, self._pinged(address, until), metrics)

        found = side_by_side(look, self.config.hosts)
        status, message = summary(found, "; ".join(told for _, told in found))
        return CheckResult("ping", status, message, metrics)

    def _pinged(self, address: str, until: float) -> list[float]:
        """Milliseconds of those that came back. A ping that is allowed to nobody here raises."""
        came: list[float] = []
        for place in range(self.config.count):
            try:
                came.append(echo(address, left(until) / (self.config.count - place)) * 1000)
            except PermissionError:
                raise
            except OSError:
                continue
            if place + 1 < self.config.count:
                time.sleep(_PAUSE)
        return came

    def _judged(self, host: str, came: list[float], metrics: dict[str, float]) -> Finding:
        asked = self.config
        lost = metrics[f"loss_percent[{host}]"] = 100 * (1 - len(came) / asked.count)
        if not came:
            return CRITICAL, f"{host} does not answer"
        mean = metrics[f"latency_ms[{host}]"] = round(sum(came) / len(came), 3)
        status = worst([asked.status(mean), level(lost, asked.loss_warning, asked.loss_critical)])
        return status, f"{host} answers in {mean:.1f} ms, {lost:.0f} % lost"
