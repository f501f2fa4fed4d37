"""How busy the processors are."""

import time
from typing import Final

import psutil
from pydantic import Field

from tocsin.checkers.checks import BaseChecker, CheckResult, Thresholds

OLDEST_SECONDS: Final = 60.0
SAMPLE_SECONDS: Final = 0.2

Reading = list[tuple[float, float]]  # of each core: seconds it was busy, seconds in all


class Config(Thresholds):
    warning: float = Field(default=85, description="Percent busy that is a warning")
    critical: float = Field(default=95, description="Percent busy that is critical")
    samples: int = Field(default=1, ge=1, le=1_000, description="How many readings are averaged")
    per_cpu: bool = Field(default=False, description="The busiest core decides, and each has a metric")


class Checker(BaseChecker[Config]):
    """Busy time between two readings: since the last look, or over a short sample."""

    Config = Config
    everywhere = True
    _last: Reading = []
    _last_at = float("-inf")

    def check(self) -> CheckResult:
        pause = min(SAMPLE_SECONDS, self.config.timeout / 2 / self.config.samples)
        if not SAMPLE_SECONDS <= time.monotonic() - self._last_at <= OLDEST_SECONDS:
            self._read()
            time.sleep(pause)
        samples = [self._since_last()]
        for _ in range(self.config.samples - 1):
            time.sleep(pause)
            samples.append(self._since_last())
        return self._result([sum(core) / len(samples) for core in zip(*samples, strict=False)])

    def _read(self) -> None:
        self._last, self._last_at = reading(), time.monotonic()

    def _since_last(self) -> list[float]:
        before = self._last
        self._read()
        return busy(before, self._last)

    def _result(self, cores: list[float]) -> CheckResult:
        percent, load = sum(cores) / len(cores), psutil.getloadavg()[0]
        said = f"{percent:.0f} % busy, load {load:.2f} on {len(cores)} cores"
        metrics = {"busy_percent": percent, "load_1m": load, "cores": float(len(cores))}
        decides = percent
        if self.config.per_cpu:
            decides = max(cores)
            said = f"core {cores.index(decides)} is {decides:.0f} % busy, all together {said}"
            metrics |= {f"busy_percent[{core}]": value for core, value in enumerate(cores)}
        return CheckResult("cpu", self.config.status(decides), said, metrics)


def reading() -> Reading:
    """What each core has done since the start."""
    cores = []
    for times in psutil.cpu_times(percpu=True):
        spent = times._asdict()
        # A guest's time is within user and nice already.
        total = sum(spent.values()) - spent.get("guest", 0) - spent.get("guest_nice", 0)
        cores.append((total - spent["idle"] - spent.get("iowait", 0), total))
    return cores


def busy(before: Reading, after: Reading) -> list[float]:
    """Each core's percent of the time between two readings."""
    return [
        min(100.0, max(0.0, 100 * (b1 - b0) / (t1 - t0))) if t1 > t0 else 0.0
        for (b0, t0), (b1, t1) in zip(before, after, strict=False)
    ]
