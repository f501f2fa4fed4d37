"""How busy the processors are."""

import time
from typing import Final

import psutil

from tocsin.checkers.checks import BaseChecker, CheckResult, Thresholds

OLDEST_SECONDS: Final = 60.0
SAMPLE_SECONDS: Final = 0.2


class Config(Thresholds):
    warning: float = 85
    critical: float = 95


class Checker(BaseChecker[Config]):
    """Busy time between two readings: since the last check, or over a short sample."""

    Config = Config
    _read_at = float("-inf")

    def check(self) -> CheckResult:
        age = time.monotonic() - self._read_at
        percent = psutil.cpu_percent(None if SAMPLE_SECONDS <= age <= OLDEST_SECONDS else SAMPLE_SECONDS)
        self._read_at = time.monotonic()
        load = psutil.getloadavg()[0]
        cores = psutil.cpu_count() or 1
        return CheckResult(
            "cpu",
            self.config.status(percent),
            f"{percent:.0f} % busy, load {load:.2f} on {cores} cores",
            {"busy_percent": percent, "load_1m": load, "cores": float(cores)},
        )
