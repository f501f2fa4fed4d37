"""How much memory is left."""

import psutil

from tocsin.checkers.checks import BaseChecker, CheckResult, Thresholds


class Config(Thresholds):
    pass


class Checker(BaseChecker[Config]):
    """Memory that programs could still get, caches counted as free."""

    Config = Config

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
