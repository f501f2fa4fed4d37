"""Checkers: one file for each thing that can be unwell. Plain Python, so that agents run them alone."""

from abc import ABC, abstractmethod
from typing import ClassVar, Final, Generic, TypeVar

import msgspec
from pydantic import BaseModel

from tocsin.core.registry import Registry

OK, WARNING, CRITICAL, UNKNOWN = "ok", "warning", "critical", "unknown"
RANK: Final = {OK: 0, UNKNOWN: 1, WARNING: 2, CRITICAL: 3}


class CheckResult(msgspec.Struct, frozen=True):
    """What a checker found. Metric names end in their unit: ``used_percent``, ``free_bytes``."""

    checker: str
    status: str
    message: str
    metrics: dict[str, float] = {}


C = TypeVar("C", bound=BaseModel)


class BaseChecker(ABC, Generic[C]):
    """Looks at one thing. ``Config`` declares its options."""

    Config: ClassVar[type[BaseModel]]

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    def check(self) -> CheckResult:
        """Look now. Whatever it raises becomes ``unknown``."""


class Thresholds(BaseModel):
    """Above ``warning`` and ``critical`` percent a checker says so."""

    warning: float = 80
    critical: float = 92

    def status(self, percent: float) -> str:
        """The status of a value that is worse the higher it is."""
        if percent >= self.critical:
            return CRITICAL
        return WARNING if percent >= self.warning else OK


checkers: Registry[BaseChecker[BaseModel]] = Registry(__name__, BaseChecker)
