"""How much is swapped out, and how busily."""

import time
from typing import Final

import psutil
from pydantic import Field

from tocsin.checkers.checks import OK, BaseChecker, CheckResult, Thresholds, level, summary

PAGE_BYTES: Final = 4_096


class Config(Thresholds):
    warning: float = Field(default=80, description="Percent used that is a warning")
    critical: float = Field(default=95, description="Percent used that is critical")
    pages_warning: float = Field(default=1_000, description="Pages a second in and out that are a warning")
    pages_critical: float = Field(default=10_000, description="Pages a second in and out that are critical")


class Checker(BaseChecker[Config]):
    """Used swap, and pages moved in and out since the last look."""

    Config = Config
    everywhere = True
    _last: tuple[float, int, int] | None = None  # when, bytes in, bytes out

    def check(self) -> CheckResult:
        swap = psutil.swap_memory()
        if not swap.total:
            return CheckResult("swap", OK, "there is no swap", {"total_bytes": 0.0})
        metrics = {
            "used_percent": swap.percent,
            "free_bytes": float(swap.free),
            "total_bytes": float(swap.total),
        }
        said = f"{swap.percent:.0f} % used, {swap.free / 2**30:.1f} GiB free"
        findings = [(self.config.status(swap.percent), said)]
        now = (time.monotonic(), swap.sin, swap.sout)
        if self._last is not None and now[0] > self._last[0]:
            seconds = (now[0] - self._last[0]) * PAGE_BYTES
            moved = [max(0, now[i] - self._last[i]) / seconds for i in (1, 2)]
            metrics |= {"pages_in_per_second": moved[0], "pages_out_per_second": moved[1]}
            status = level(sum(moved), self.config.pages_warning, self.config.pages_critical)
            findings.append((status, f"{moved[0]:.0f} pages/s in, {moved[1]:.0f} pages/s out"))
        self._last = now
        status, message = summary(findings, said)
        return CheckResult("swap", status, message, metrics)
