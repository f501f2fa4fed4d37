"""States and notification types as Nagios and its heirs write them."""

from typing import Final

from tocsin.alerts.events import Status
from tocsin.core import severity

GOOD: Final = {"OK", "UP"}
# Unplugged from its parent, a host is not known to be down; a check that cannot tell is not known to fail.
_LEVELS: Final = {"DOWN": severity.CRITICAL, "UNREACHABLE": severity.ERROR, "UP": severity.INFO}
# While a check flaps or rests in a downtime its recovery is not told: the end of that tells it.
_OVER: Final = {"FLAPPINGSTOP", "FLAPPINGEND", "FLAPPINGDISABLED", "DOWNTIMEEND", "DOWNTIMECANCELLED",
                "DOWNTIMEREMOVED"}  # fmt: skip
_STATUS: Final[dict[str, Status]] = {
    "PROBLEM": "firing", "ACKNOWLEDGEMENT": "acknowledged", "RECOVERY": "resolved"
}  # fmt: skip


def status(kind: str, state: str) -> Status | None:
    """What a notification of this type says of the alert; None where it says nothing of it.

    Without a type, or with one that somebody sent by hand, the check's state speaks.
    """
    kind, good = kind.upper(), state.upper() in GOOD
    if kind in _STATUS:
        return _STATUS[kind]
    if kind in _OVER:
        return "resolved" if good else None
    if kind == "CUSTOM":
        return None if good else "firing"
    if kind:
        return None
    return "resolved" if good else "firing"


def level(state: str) -> str:
    """The severity of a host's or a service's state."""
    return _LEVELS.get(state.upper()) or severity.read(state)
