"""Checkers: one file for each thing that can be unwell. Plain Python, so that agents run them alone."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Final, Generic, TypeAlias, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tocsin.core.registry import Registry

OK, WARNING, CRITICAL, UNKNOWN = "ok", "warning", "critical", "unknown"
RANK: Final = {OK: 0, UNKNOWN: 1, WARNING: 2, CRITICAL: 3}
TOLD: Final = 8  # of several things that are not ok, a message tells of so many


class CheckResult(msgspec.Struct, frozen=True):
    """What a checker found. Metric names end in their unit: ``used_percent``, ``free_bytes``; of one of
    several things they name it in brackets behind: ``used_percent[/var]``. ``message`` is one line."""

    checker: str
    status: str
    message: str
    metrics: dict[str, float] = {}
    duration_ms: float = 0


class Options(BaseModel):
    """What every checker takes."""

    model_config = ConfigDict(extra="forbid")

    timeout: float = Field(default=10, gt=0, le=600, description="Seconds after which the answer is unknown")


class Thresholds(Options):
    """At ``warning`` and ``critical`` a checker says so; its values are worse the higher they are."""

    warning: float = Field(default=80, description="From here on it is a warning")
    critical: float = Field(default=92, description="From here on it is critical")

    def status(self, value: float) -> str:
        """The status of a value."""
        return level(value, self.warning, self.critical)


class Floors(Options):
    """The same for values that are worse the lower they are, such as days left."""

    warning: float = Field(description="Below this it is a warning")
    critical: float = Field(description="Below this it is critical")

    def status(self, value: float) -> str:
        """The status of a value."""
        if value < self.critical:
            return CRITICAL
        return WARNING if value < self.warning else OK


class Limits(Options):
    """Thresholds for any number, each only where it is given; which way is worse, ``below`` says."""

    warning: float | None = Field(default=None, description="From here on it is a warning; default: never")
    critical: float | None = Field(default=None, description="From here on it is critical; default: never")
    below: bool = Field(default=False, description="Whether lower is worse: thresholds count from there down")

    def status(self, value: float) -> str:
        """The status of a value."""
        if not self.below:
            return level(value, self.warning, self.critical)
        warning, critical = (None if limit is None else -limit for limit in (self.warning, self.critical))
        return level(-value, warning, critical)


C = TypeVar("C", bound=Options)


class BaseChecker(ABC, Generic[C]):
    """Looks at one thing. ``Config`` declares its options."""

    Config: ClassVar[type[Options]]
    everywhere: ClassVar[bool] = False
    """Whether it has something to look at on every machine, without any option: agents run these."""
    trusted_only: ClassVar[bool] = False
    """Whether it looks at nothing unless it is trusted: no monitor can use it."""
    trusted: bool = False
    """Whether its options come from somebody who may run programs on this machine anyway: a command, an
    agent's own settings. Only then may it run programs, and reach any address; else what
    TOCSIN_OUTBOUND_ALLOW names holds for it as for channels."""

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    def check(self) -> CheckResult:
        """Look now. Whatever it raises becomes ``unknown``; it may be called again, from another thread."""


def level(value: float, warning: float | None, critical: float | None) -> str:
    """The status of a value that is worse the higher it is; a threshold that is None never is reached."""
    if critical is not None and value >= critical:
        return CRITICAL
    return WARNING if warning is not None and value >= warning else OK


def worst(statuses: Iterable[str]) -> str:
    """The worst of these; ``ok`` where there are none."""
    return max(statuses, key=RANK.__getitem__, default=OK)


Finding: TypeAlias = tuple[str, str]  # a status, and what to say of it


def summary(findings: Iterable[Finding], otherwise: str) -> Finding:
    """The worst status, and in one line what is not ok, worst first; ``otherwise`` where all is."""
    amiss = sorted((found for found in findings if found[0] != OK), key=lambda found: -RANK[found[0]])
    told = [text for _, text in amiss[:TOLD]]
    if len(amiss) > TOLD:
        told.append(f"and {len(amiss) - TOLD} more")
    return worst(status for status, _ in amiss), "; ".join(told) or otherwise


checkers: Registry[BaseChecker[Options]] = Registry(__name__, BaseChecker)
