"""Results as checks would give them, and spools to put them in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tocsin.agent.rounds import Alert
from tocsin.agent.spool import Say, Spool

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """A moment after the start."""
    return START + timedelta(seconds=seconds)


def alert(check: str = "cpu", *, steady: bool = True, status: str = "ok", text: str = "fine") -> Alert:
    """One result."""
    return Alert(
        check=check,
        fingerprint=f"{check}-web-1",
        name=f"{check} on web-1",
        status="resolved" if status == "ok" else "firing",
        severity="info" if status == "ok" else status,
        started_at=START,
        ended_at=START if status == "ok" else None,
        labels={"checker": check, "hostname": "web-1"},
        annotations={"message": text},
        metrics={"used_percent": 12.5},
        checked_at=START,
        check_status=status,
        steady=steady,
    )


def results(steady: int, transitions: int = 0, text: str = "fine") -> list[Alert]:
    """The results of one round."""
    return [
        *(alert(f"steady-{n}", text=text) for n in range(steady)),
        *(alert(f"changed-{n}", steady=False, status="critical", text=text) for n in range(transitions)),
    ]


def spool(
    folder: Path, *, max_bytes: int = 50_000_000, max_age: float = 604_800, at: float = 0, say: Say = print
) -> Spool:
    """A spool, opened so many seconds after the start."""
    return Spool(folder, max_bytes=max_bytes, max_age=max_age, now=after(at), say=say)
