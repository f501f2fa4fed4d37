"""How hot the machine is."""

from typing import Final

import psutil
from pydantic import Field

from tocsin.checkers.checks import OK, BaseChecker, CheckResult, Thresholds

PLAUSIBLE: Final = (-40.0, 200.0)  # what is not connected says things like -128 or 255


class Config(Thresholds):
    warning: float = Field(default=80, description="Degrees Celsius that are a warning")
    critical: float = Field(default=95, description="Degrees Celsius that are critical")


class Checker(BaseChecker[Config]):
    """The hottest sensor; a machine without any, such as a virtual one, is well."""

    Config = Config
    everywhere = True

    def check(self) -> CheckResult:
        found = sensors()
        metrics = {"sensors": float(len(found)), **{f"celsius[{name}]": hot for name, hot in found.items()}}
        if not found:
            return CheckResult("temperature", OK, "there is no temperature sensor", metrics)
        hottest = max(found, key=found.__getitem__)
        said = f"{hottest} is at {found[hottest]:.0f} °C, the hottest of {len(found)}"
        return CheckResult("temperature", self.config.status(found[hottest]), said, metrics)


def sensors() -> dict[str, float]:
    """What each sensor says, by its name: the kernel's hwmon, or its thermal zones where there is none."""
    found: dict[str, float] = {}
    read = getattr(psutil, "sensors_temperatures", dict)  # not on every system
    for chip, readings in read().items():
        for number, reading in enumerate(readings):
            name = f"{chip} {reading.label}" if reading.label else chip
            if PLAUSIBLE[0] < reading.current < PLAUSIBLE[1]:
                found[name if name not in found else f"{name} {number}"] = reading.current
    return found
