"""How many programs want to run."""

import psutil
from pydantic import Field

from tocsin.checkers.checks import BaseChecker, CheckResult, Options, level, worst

MINUTES = (1, 5, 15)


class Config(Options):
    warning_1m: float = Field(default=6, description="Load per core over 1 minute that is a warning")
    critical_1m: float = Field(default=12, description="Load per core over 1 minute that is critical")
    warning_5m: float = Field(default=3, description="Load per core over 5 minutes that is a warning")
    critical_5m: float = Field(default=6, description="Load per core over 5 minutes that is critical")
    warning_15m: float = Field(default=2, description="Load per core over 15 minutes that is a warning")
    critical_15m: float = Field(default=4, description="Load per core over 15 minutes that is critical")


class Checker(BaseChecker[Config]):
    """The load over 1, 5 and 15 minutes, for each core."""

    Config = Config
    everywhere = True

    def check(self) -> CheckResult:
        loads, cores = psutil.getloadavg(), psutil.cpu_count() or 1
        limits = self.config.model_dump()
        metrics = {"cores": float(cores)}
        statuses = []
        for minutes, load in zip(MINUTES, loads, strict=True):
            metrics[f"load_{minutes}m"] = load
            metrics[f"load_per_core_{minutes}m"] = load / cores
            statuses.append(
                level(load / cores, limits[f"warning_{minutes}m"], limits[f"critical_{minutes}m"])
            )
        said = ", ".join(f"{load:.2f}" for load in loads)
        return CheckResult("load", worst(statuses), f"load {said} (1, 5, 15 min) on {cores} cores", metrics)
