"""A run that somebody asks for, about a payload or an incident: begun, or only rehearsed."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from tocsin.alerts import reading
from tocsin.alerts.events import Problem, Reading
from tocsin.alerts.intake.journal import Post
from tocsin.checkers.services import CheckSet
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id
from tocsin.orchestration import services, taking
from tocsin.orchestration.preview import PreviewedAlert, PreviewedRun, preview, preview_of_incident

SECONDS, MOST_SECONDS = 30.0, 120.0
_LARGEST: Final = 2**63 - 1


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody wants a run about: a ``payload``, as ``driver`` reads it or the one that fits, or an
    incident. ``source`` is another name for ``driver``."""

    payload: Any = msgspec.UNSET
    driver: str = ""
    source: str = ""
    incident_id: Annotated[int, msgspec.Meta(ge=1, le=_LARGEST)] | None = None
    definition: str = ""
    sync: bool = False
    timeout: Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)] = SECONDS
    dry_run: bool = False


class Begun(msgspec.Struct):
    """What was taken in and the runs that were begun; ``reasons`` say why there are none."""

    trace_id: str
    runs: list[str]
    driver: str = ""
    alerts: int = 0
    changes: int = 0
    reasons: list[str] = []
    errors: list[Problem] = []


class Rehearsed(msgspec.Struct):
    """What would be; nothing was stored."""

    driver: str
    errors: list[Problem]
    alerts: list[PreviewedAlert]
    runs: list[PreviewedRun]
    dry_run: bool = True


def begin(asked: Asked, trace_id: str, now: datetime) -> Begun:
    """Begin it; what came in is on disk. Raises Rejected, Unknown, UnknownPlugin, Unavailable."""
    if asked.incident_id is not None:
        run = services.begin(
            incident_id=_incident(asked), definition=asked.definition, trace_id=trace_id, now=now
        )
        return Begun(trace_id, [run.run_id])
    driver, read = _read(asked)
    post = Post(read.alerts, driver, trace_id, now)
    taken = taking.take_in(post, definition=asked.definition, now=now)
    return Begun(trace_id, taken.runs, driver, len(read.alerts), taken.changes, taken.reasons, read.errors)


def rehearse(asked: Asked, checks: CheckSet, now: datetime) -> Rehearsed:
    """What every node would do; nothing is stored or sent. Raises as ``begin`` does."""
    if asked.incident_id is not None:
        run = preview_of_incident(_incident(asked), checks, now, asked.definition)
        return Rehearsed("", [], [], [run])
    driver, read = _read(asked)
    found = preview(Post(read.alerts, driver, new_id(), now), checks, now, asked.definition)
    return Rehearsed(driver, read.errors, found.alerts, found.runs)


def _incident(asked: Asked) -> int:
    if asked.payload is not msgspec.UNSET:
        raise Rejected("give a payload or an incident_id, not both")
    assert asked.incident_id is not None
    return asked.incident_id


def _read(asked: Asked) -> tuple[str, Reading]:
    """The payload's driver and alerts. Raises Rejected where none of them can be read."""
    if asked.payload is msgspec.UNSET:
        raise Rejected("give a payload or an incident_id")
    driver, read = reading.read(_body(asked.payload), driver=asked.driver or asked.source)
    if read.errors and not read.alerts:
        raise Rejected(f"alerts[{read.errors[0].index}]: {read.errors[0].message}")
    return driver, read


def _body(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload)
