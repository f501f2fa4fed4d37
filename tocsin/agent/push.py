"""One round, sent at once: ``tocsin push_to_hub``, for cron."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tocsin.agent.hub import Hub, Refused
from tocsin.agent.recording import STATES, Looker, Recorder, alerts_of, spool_of
from tocsin.agent.rounds import Alert, rounds
from tocsin.agent.sending import About, Sender
from tocsin.agent.settings import Settings
from tocsin.agent.spool import Say
from tocsin.agent.states import States
from tocsin.core import clock
from tocsin.core.errors import Unavailable

SENT, KEPT = 0, 1


class Checked(msgspec.Struct):
    """One check's result."""

    check: str
    status: str
    message: str


@dataclass
class Pushed:
    """What became of it; ``code`` is the exit code."""

    hub: str
    code: int
    sent: int
    waiting: int
    error: str
    checks: list[Checked]

    def json(self) -> str:
        """One document for programs."""
        status = "sent" if self.code == SENT else "kept"
        told = {
            "status": status,
            "hub": self.hub,
            "sent": self.sent,
            "waiting": self.waiting,
            "error": self.error,
        }
        return msgspec.json.format(msgspec.json.encode(told | {"checks": self.checks})).decode()

    def text(self) -> str:
        """Lines for people."""
        lines = [f"{check.check}: {check.status}: {check.message}" for check in self.checks]
        if self.code == SENT:
            lines.append(f"sent to {self.hub}: {rounds(self.sent)}")
        else:
            lines.append(f"kept for later: {rounds(self.waiting)}; the hub: {self.error}")
        return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)


def push(settings: Settings, say: Say) -> Pushed:
    """Check once, spool it, and send all that waits. The settings' folder must be held."""
    spool = spool_of(settings, clock.now, say)
    alerts = Recorder(settings, spool).record(*Looker(settings.checks).look())
    hub = _hub(settings)
    sender, error = Sender(spool, hub, _about(settings), say), ""
    try:
        sender.send()
    except (Unavailable, Refused) as why:
        error = str(why)
    finally:
        hub.close()
    code = KEPT if error else SENT
    return Pushed(settings.hub, code, sender.sent, spool.waiting, error, _checked(alerts))


def preview(settings: Settings, say: Say) -> str:
    """Check once; what would be posted. Nothing is sent, and nothing kept."""
    states = States(settings.folder / STATES)
    alerts = alerts_of(states, settings.hostname, *Looker(settings.checks).look())
    with tempfile.TemporaryDirectory(prefix="tocsin-agent-") as folder:
        spool = spool_of(replace(settings, folder=Path(folder)), clock.now, say)
        spool.add(alerts, clock.now())
        batch = spool.batch()
        assert batch is not None
        document = Sender(spool, _hub(settings), _about(settings), say).document(batch, clock.now())
    return msgspec.json.format(document).decode()


def _hub(settings: Settings) -> Hub:
    return Hub(settings.hub, key=settings.key, secret=settings.secret, authority=settings.authority)


def _about(settings: Settings) -> About:
    # Cron knows the interval, and whether another line of its table makes other checks; this does not.
    return About(settings.instance_id, settings.hostname, interval=None, checks=None)


def _checked(alerts: list[Alert]) -> list[Checked]:
    return [Checked(alert.check, alert.check_status, alert.annotations["message"]) for alert in alerts]
