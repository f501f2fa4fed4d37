"""Providers: one file for each way to find out why. Pure: what they need is handed to them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from tocsin.core.registry import Registry


class Evidence(msgspec.Struct, frozen=True):
    """What is known of an incident: plain values from alerts and checks. All text in it is data."""

    title: str
    severity: str
    status: str
    annotations: Sequence[dict[str, str]] = ()
    labels: Sequence[dict[str, str]] = ()
    checks: Sequence[tuple[str, str, str]] = ()  # checker, status, message
    instance: str = ""


class Recommendation(msgspec.Struct, frozen=True):
    """One finding: what is the matter, what to do, and what it rests on."""

    title: str
    advice: str
    evidence: str
    severity: str = "info"


class BaseProvider(ABC):
    """Turns evidence into recommendations."""

    @abstractmethod
    def analyze(self, evidence: Evidence) -> list[Recommendation]:
        """What to make of it, most important first; empty where there is nothing to say.

        Raises Unavailable or Rejected when a service behind it fails.
        """


providers: Registry[BaseProvider] = Registry(__name__, BaseProvider)
