"""Monitors: making, changing and ending them, and looking once by hand. The only code that sets them up."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db import IntegrityError, transaction

from tocsin.alerts.intake.journal import Journal, Post
from tocsin.checkers import target, watch
from tocsin.checkers.checks import CheckResult, checkers
from tocsin.checkers.models import Monitor
from tocsin.checkers.running import Runner, build
from tocsin.checkers.setup import Setup, Wrong, checked, options
from tocsin.checkers.verdict import SOURCE, clean, ended
from tocsin.core import log
from tocsin.core.errors import Rejected, Unknown, UnknownPlugin
from tocsin.core.ids import new_id
from tocsin.core.secret_fields import MASK, masked, revealed, unmasked
from tocsin.db.work import Worker

logger = log.get(__name__)
MOST: Final = 10_000
PATIENCE_SECONDS: Final = 5.0  # with another's look
PAUSE_SECONDS: Final = 0.1


def create(*, setup: Setup, origin: str, now: datetime) -> Monitor:
    """Make one; it looks at once. Raises Wrong, which names the field."""
    setup = checked(setup)
    with transaction.atomic(), _name_of_its_own(setup.name):
        if Monitor.objects.count() >= MOST:
            raise Rejected(f"there are {MOST:,} monitors; remove some first")
        monitor = Monitor(origin=origin, created_at=now)
        _put(monitor, setup, now)
        monitor.save(force_insert=True)
    return monitor


def change(*, monitor_id: str, setup: Setup, now: datetime, origin: str = "") -> Monitor:
    """Set one up anew; it looks at once. Secrets given as dots stay as they are. What it found counts on,
    unless it looks at something else now. Raises Wrong, Unknown where it is gone."""
    with transaction.atomic():
        monitor = _locked(monitor_id)
        setup = checked(_with_secrets(setup, monitor))
        with _name_of_its_own(setup.name, monitor.pk):
            if not setup.enabled or _looks_elsewhere(setup, monitor):
                _end_alert(monitor, now)
                _forget(monitor)
            monitor.origin = origin or monitor.origin
            _put(monitor, setup, now)
            monitor.save()
    return monitor


def enable(*, monitor_id: str, enabled: bool, now: datetime) -> Monitor:
    """Let it look, or no more; then its alert ends. Raises Unknown."""
    with transaction.atomic():
        monitor = _locked(monitor_id)
        if monitor.enabled != enabled:
            _end_alert(monitor, now)
            _forget(monitor)
        monitor.enabled, monitor.lease = enabled, ""
        monitor.due_at = now if enabled else None
        monitor.save()
    return monitor


def remove(*, monitor_id: str, now: datetime) -> None:
    """Let go of one and of its results. Its alert ends. Raises Unknown."""
    with transaction.atomic():
        monitor = _locked(monitor_id)
        _end_alert(monitor, now)
        monitor.delete()


def named(name: str) -> Monitor:
    """The one of a name or an id. Raises Unknown."""
    known = Monitor.objects
    found: Monitor | None = known.filter(name=name).first() or known.filter(pk=name).first()
    if found is None:
        raise Unknown(f"there is no monitor named {name!r}")
    return found


def shown_options(monitor: Monitor) -> dict[str, Any]:
    """Its options, secrets as dots; all of them, where nobody knows any more which are secret."""
    try:
        return masked(checkers.get(monitor.checker).Config, monitor.options)
    except UnknownPlugin:
        return dict.fromkeys(monitor.options, MASK)


def attempt(checker: str, given: Mapping[str, Any]) -> CheckResult:
    """What a monitor with these options would find now. Nothing is kept. Raises Wrong."""
    options(checker, given)
    return clean(Runner({checker: build(checker, given)}, _failed).run()[0])


def look_now(*, monitor: Monitor, now: datetime) -> CheckResult:
    """Let a monitor look now and wait for it; the result counts as any other. One that is disabled looks,
    and its result is not kept. Raises Rejected where somebody else looks, and for longer than a while."""
    if not monitor.enabled:
        return attempt(monitor.checker, monitor.options)
    options(monitor.checker, monitor.options)
    token = Worker().token()
    lease = watch.lease_of(monitor.options.get("timeout"))
    free = Monitor.objects.filter(pk=monitor.pk, enabled=True, lease="")
    until = time.monotonic() + PATIENCE_SECONDS
    while not free.update(lease=token, due_at=now + lease):
        if time.monotonic() >= until:
            raise Rejected(f"{monitor.name} is being looked at just now")
        time.sleep(PAUSE_SECONDS)
    found = attempt(monitor.checker, monitor.options)
    watch.settle([watch.Found(monitor.pk, token, now, found)], now)
    return found


def _put(monitor: Monitor, setup: Setup, now: datetime) -> None:
    """Write a set-up that was checked. Whoever looks just now by the old one looks in vain."""
    read = options(setup.checker, setup.options)
    for name in Setup.__struct_fields__:
        setattr(monitor, name, getattr(setup, name))
    seen = target.read(read)
    monitor.options, monitor.target, monitor.host = revealed(read), seen.told, seen.host
    monitor.changed_at, monitor.lease, monitor.attempts = now, "", 0
    monitor.due_at = now if setup.enabled else None


def _with_secrets(setup: Setup, monitor: Monitor) -> Setup:
    if setup.checker != monitor.checker:
        return setup
    config = checkers.get(monitor.checker).Config
    given = unmasked(config, setup.options, monitor.options)
    return msgspec.structs.replace(setup, options=given)


def _looks_elsewhere(setup: Setup, monitor: Monitor) -> bool:
    seen = target.read(options(setup.checker, setup.options))
    return (setup.checker, seen.told) != (monitor.checker, monitor.target)


def _forget(monitor: Monitor) -> None:
    """Begin anew: what was found before says nothing of what is looked at from now on."""
    monitor.last_status = monitor.last_message = monitor.recent = ""
    monitor.failing_count = monitor.passing_count = 0
    monitor.since = None


def _locked(monitor_id: str) -> Monitor:
    found: Monitor | None = Monitor.objects.select_for_update().filter(pk=monitor_id).first()
    if found is None:
        raise Unknown(f"there is no monitor {monitor_id}")
    return found


@contextmanager
def _name_of_its_own(name: str, but: str = "") -> Iterator[None]:
    taken = Wrong("name", f"there is a monitor named {name!r}; choose another name")
    if Monitor.objects.filter(name=name).exclude(pk=but).exists():
        raise taken
    try:
        with transaction.atomic():
            yield
    except IntegrityError:  # another process made the same one in this moment
        raise taken from None


def _end_alert(monitor: Monitor, now: datetime) -> None:
    alert = ended(monitor)
    if alert is not None:
        Journal().commit([Post([alert], SOURCE, new_id(), now)])


def _failed(checker: str, error: str) -> None:
    logger.warning("check.failed", checker=checker, error=error)
