"""Since when a check is as it is: kept, so that a state that goes on keeps its times over restarts."""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from tocsin.agent import files
from tocsin.agent.rounds import Alert, Round
from tocsin.checkers.alerting import alertname, known_by
from tocsin.checkers.checks import CRITICAL, OK, UNKNOWN, WARNING, CheckResult

LONGEST_MESSAGE: Final = 2_000
_SEVERITY: Final = {OK: "info", WARNING: "warning", CRITICAL: "critical", UNKNOWN: "warning"}


class State(msgspec.Struct):
    """``started_at`` is when it left ok, ``ended_at`` when it became ok again."""

    status: str
    started_at: datetime
    ended_at: datetime | None


class _Kept(msgspec.Struct):
    seq: int = 0
    checks: dict[str, State] = {}


class States:
    """What each check found last, and since when."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):  # none yet, or lost: times begin anew
            self._kept = _Kept()

    @property
    def seq(self) -> int:
        """The last round that it knows of."""
        return self._kept.seq

    def catch_up(self, rounds: Iterable[Round]) -> None:
        """Learn from rounds that were spooled when this was not saved any more."""
        for round in rounds:
            for alert in round.alerts:
                self._kept.checks[alert.check] = State(alert.check_status, alert.started_at, alert.ended_at)

    def alert(self, check: str, checker: str, hostname: str, result: CheckResult, began: datetime) -> Alert:
        """A check's result as the hub takes it; what was known of the check before is replaced."""
        checked_at = began + timedelta(milliseconds=result.duration_ms)
        before = self._kept.checks.get(check)
        status = result.status if result.status in _SEVERITY else UNKNOWN
        state = self._kept.checks[check] = _following(before, status, checked_at)
        return Alert(
            check=check,
            fingerprint=known_by(check, hostname),
            name=alertname(check),
            status="resolved" if status == OK else "firing",
            severity=_SEVERITY[status],
            started_at=state.started_at,
            ended_at=state.ended_at,
            labels={"checker": checker, "hostname": hostname},
            annotations={"message": _short(result.message)},
            metrics=_finite(result.metrics),
            checked_at=checked_at,
            check_status=status,
            steady=before is not None and before.status == status,
        )

    def forget(self, others_than: Collection[str], hostname: str, at: datetime) -> list[Alert]:
        """Forget the checks that are not made any more; what ends thereby, as the hub takes it."""
        gone = {
            check: self._kept.checks.pop(check) for check in [*self._kept.checks] if check not in others_than
        }
        return [_ended(check, state, hostname, at) for check, state in gone.items() if state.status != OK]

    def save(self, seq: int) -> None:
        """Keep it as it is after a round. Raises OSError."""
        self._kept.seq = seq
        files.write(self._path, msgspec.json.encode(self._kept))


def _ended(check: str, state: State, hostname: str, at: datetime) -> Alert:
    """The end of an alert whose check is not made any more."""
    return Alert(
        check=check,
        fingerprint=known_by(check, hostname),
        name=alertname(check),
        status="resolved",
        severity=_SEVERITY[OK],
        started_at=state.started_at,
        ended_at=max(at, state.started_at),
        labels={"checker": check, "hostname": hostname},
        annotations={"message": "not checked any more"},
        metrics={},
        checked_at=at,
        check_status=OK,
        steady=False,
    )


def _following(before: State | None, status: str, at: datetime) -> State:
    if before is not None and (before.status == OK) == (status == OK):
        return State(status, before.started_at, before.ended_at)
    if status != OK:
        return State(status, at, None)
    # The clock may have been set back since; nothing ends before it began.
    return (
        State(status, at, at)
        if before is None
        else State(status, before.started_at, max(at, before.started_at))
    )


def _short(message: str) -> str:
    return _encodable(message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…")


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """JSON has no infinity."""
    return {_encodable(name): value for name, value in metrics.items() if math.isfinite(value)}


def _encodable(text: str) -> str:
    """Names of processes and files may hold bytes that are no text."""
    return text.encode("utf-8", "replace").decode()
