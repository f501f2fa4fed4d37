"""How full the file systems are."""

import psutil

from tocsin.checkers.checks import BaseChecker, CheckResult, Thresholds


class Config(Thresholds):
    warning: float = 85
    critical: float = 95
    paths: list[str] = ["/"]


class Checker(BaseChecker[Config]):
    """Used space of each path's file system; the fullest decides."""

    Config = Config

    def check(self) -> CheckResult:
        used = {path: psutil.disk_usage(path) for path in self.config.paths}
        fullest = max(used, key=lambda path: used[path].percent)
        usage = used[fullest]
        return CheckResult(
            "disk",
            self.config.status(usage.percent),
            f"{fullest} is {usage.percent:.0f} % full, {usage.free / 2**30:.1f} GiB free",
            {
                "used_percent": usage.percent,
                "free_bytes": float(usage.free),
                "total_bytes": float(usage.total),
            },
        )
