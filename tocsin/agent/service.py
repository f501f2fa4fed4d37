"""``tocsin agent``: checks again and again, and sends what they find.

Checks of the same interval and timeout share a thread and a round, so that one with a long timeout holds
up none of the others. One more thread sends, and one asks for commands where some are allowed. The main
thread waits for the signal to end.
"""

import os
import random
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

from tocsin.agent.hub import Hub, Refused
from tocsin.agent.recording import Looker, Recorder, spool_of
from tocsin.agent.rounds import rounds
from tocsin.agent.sending import About, Patience, Sender
from tocsin.agent.settings import Check, Settings
from tocsin.agent.spool import Say
from tocsin.core import clock, systemd
from tocsin.core.errors import Unavailable

if TYPE_CHECKING:
    from tocsin.agent.orders import Orders

FINISH_SECONDS: Final = 0.5


class Service:
    """Runs until it is told to stop."""

    def __init__(self, settings: Settings, say: Say, detail: Say) -> None:
        self._settings, self._say, self._detail = settings, say, detail
        self._stopping = threading.Event()
        self._arrived = threading.Event()  # a round, or the end
        self._ears, self._bell = os.pipe()
        self._failed = False
        self._spool = spool_of(settings, clock.now, say)
        self._recorder = Recorder(settings, self._spool)
        self._recorder.forget_others()
        hub = self._hub()
        checks = [check.id for check in settings.checks]
        about = About(settings.instance_id, settings.hostname, round(settings.interval), checks)
        self._sender = Sender(self._spool, hub, about, say)
        self._orders = self._taken_orders()

    def _hub(self) -> Hub:
        """A connection of its own for each thread."""
        told = self._settings
        return Hub(told.hub, key=told.key, secret=told.secret, authority=told.authority)

    def _taken_orders(self) -> "Orders | None":
        """None where nothing is allowed, or nobody can know that it is this machine that is asked."""
        commands = self._settings.commands
        if not commands:
            return None
        if not self._settings.key:
            self._say(
                f"commands are configured ({', '.join(commands)}), but none will be run: for that this agent "
                f"needs a key of its own; run tocsin enroll --hub {self._settings.hub} --token …"
            )
            return None
        from tocsin.agent.ledger import Ledger  # those that allow nothing stay as small as they are
        from tocsin.agent.orders import Orders

        ledger = Ledger(self._settings.folder / "commands", self._settings.hub, self._say)
        return Orders(self._hub(), commands, ledger, self._say, self._detail)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            # An Event may not be set from here: the main thread may be about to wait for that very one.
            signal.signal(number, lambda *_: self._ring())
        waiting = f"; {rounds(self._spool.waiting)} waiting" if self._spool.waiting else ""
        if self._orders is not None:
            waiting += f"; runs {', '.join(self._settings.commands)} when the hub asks for it"
        checks = ", ".join(check.id for check in self._settings.checks) or "nothing"
        self._say(f"checks {checks} for {self._settings.hub} as {self._settings.instance_id}{waiting}")
        rhythms = [self._thread(partial(self._check, checks)) for checks in _rhythms(self._settings)]
        self._thread(self._send)
        if self._orders is not None:
            rhythms.append(self._thread(partial(self._orders.run, self._stopping)))
        for allowed in self._settings.commands.values():
            self._detail(f"allows {allowed}")
        systemd.notify("READY=1")
        while not select.select([self._ears], [], [], systemd.watchdog())[0]:
            systemd.notify("WATCHDOG=1")
        self._stopping.set()
        self._arrived.set()
        systemd.notify("STOPPING=1")
        deadline = time.monotonic() + FINISH_SECONDS
        for thread in rhythms:  # a round that is found is kept; what hangs is not waited for
            thread.join(max(0.0, deadline - time.monotonic()))
        return 1 if self._failed else 0

    def _ring(self) -> None:
        """Wake the main thread, which ends all."""
        os.write(self._bell, b"!")

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        def watched() -> None:
            try:
                work()
            finally:
                if not self._stopping.is_set():  # it raised; half an agent would look alive
                    self._failed = True
                    self._ring()

        thread = threading.Thread(target=watched, daemon=True)
        thread.start()
        return thread

    def _check(self, checks: list[Check]) -> None:
        looker = Looker(checks, lambda check, error: self._detail(f"{check} raised {error}"))
        interval = checks[0].interval
        for _ in _ticks(interval, min(interval, self._settings.interval), self._stopping):
            began, found = looker.look()
            if self._stopping.is_set():
                return
            alerts = self._recorder.record(began, found)
            self._detail("; ".join(f"{alert.check} {alert.check_status}" for alert in alerts))
            self._arrived.set()

    def _send(self) -> None:
        patience, away, patient = Patience(), "", self._settings.interval * 1.5
        if not self._settings.checks:
            patient = self._settings.interval
            self._stopping.wait(random.uniform(0, patient))
        while not self._stopping.is_set():
            before = self._sender.sent
            try:
                if self._arrived.wait(patient if not away else 0):
                    self._arrived.clear()
                    self._sender.send(self._stopping.is_set)
                else:
                    self._empty_or_send()
            except (Unavailable, Refused) as error:
                pause = patience.after(error)
                self._detail(f"next try in {pause:.0f} s: {error}")
                away = self._tell_away(error, away)
                self._stopping.wait(pause)
            else:
                if away and not self._stopping.is_set():
                    self._say(f"the hub is back; sent {rounds(self._sender.sent - before)}")
                away = ""
                patience.reset()

    def _empty_or_send(self) -> None:
        if self._spool.waiting:
            self._sender.send(self._stopping.is_set)
        else:
            self._sender.heartbeat()

    def _tell_away(self, error: Unavailable | Refused, told: str) -> str:
        """Once when the hub goes away, and again when it asks for something else to be done."""
        kind = str(error) if isinstance(error, Refused) else "away"
        if kind != told:
            self._say(
                f"{'the hub' if isinstance(error, Refused) else 'the hub is away'}: {error}; results are kept"
            )
        return kind


def _rhythms(settings: Settings) -> Iterator[list[Check]]:
    def rhythm(check: Check) -> tuple[float, float]:
        return check.interval, check.built.config.timeout

    for _, checks in groupby(sorted(settings.checks, key=rhythm), key=rhythm):
        yield list(checks)


def _ticks(interval: float, spread: float, stopping: threading.Event) -> Iterator[None]:
    """At a random moment at first, so that machines that start together do not stay together; then evenly."""
    due = time.monotonic() + random.uniform(0, spread)
    while not stopping.wait(max(0.0, due - time.monotonic())):
        yield
        due += interval
        if (late := time.monotonic() - due) > 0:  # a check took longer than its interval
            due += interval * (late // interval + 1)


def run(settings: Settings, say: Say, detail: Say) -> int:
    """Run the agent of these settings, whose folder must be held."""
    return Service(settings, say, detail).run()
