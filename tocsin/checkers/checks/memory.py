"""How much memory is left."""

import psutil
from pydantic import Field

from tocsin.checkers.checks import BaseChecker, CheckResult, Thresholds


class Config(Thresholds):
    warning: float = Field(default=80, description="Percent used that is a warning")
    critical: float = Field(default=92, description="Percent used that is critical")


class Checker(BaseChecker[Config]):
    """Memory that programs could still get, caches counted as free."""

    Config = Config
    everywhere = True

    def check(self) -> CheckResult:
        memory = psutil.virtual_memory()
        gib = 2**30
        return CheckResult(
            "memory",
            self.config.status(memory.percent),
            f"{memory.percent:.0f} % used, {memory.available / gib:.1f} of "
            f"{memory.total / gib:.1f} GiB available",
            {
                "used_percent": memory.percent,
                "available_bytes": float(memory.available),
                "total_bytes": float(memory.total),
            },
        )
