"""Machines with an agent: taking what they push, and letting go of them. The only code that writes them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction

from tocsin.alerts.events import CheckTold, Push
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.checkers.checks import RANK, worst
from tocsin.checkers.models import CheckRun
from tocsin.core.errors import Unknown
from tocsin.core.ids import new_id
from tocsin.fleet.models import Instance
from tocsin.fleet.silence import SOURCE, clock_is_wrong, ended, look_at

MOST: Final = 50_000
MOST_CHECKS: Final = 500
SHORTEST_GAP: Final = 300  # seconds that are taken to lie between pushes of an agent that does not say
LONGEST_GAP: Final = 86_400
SPOOLS_KEPT: Final = 4
SAMPLED: Final = timedelta(minutes=10)  # of a steady state one result so often is kept


def take(pushes: Sequence[Push], told: Told) -> bool:
    """Keep what agents pushed; say whether one is new. A round that was taken in before counts once."""
    made = False
    for push in pushes:
        try:
            made = _take(push, told) or made
        except IntegrityError:  # another process made the same one in this moment
            made = _take(push, told) or made
    return made


def remove(*, instance_id: str, now: datetime) -> None:
    """Let go of one; its alerts end, its key opens nothing. Raises Unknown."""
    with transaction.atomic():
        instance = named(instance_id, lock=True)
        alerts = ended(instance)
        if alerts:
            Journal().commit([Post(alerts, SOURCE, new_id(), now)])
        instance.delete()


def named(instance_id: str, lock: bool = False) -> Instance:
    """The one of an id. Raises Unknown."""
    rows = Instance.objects.select_for_update() if lock else Instance.objects
    found = rows.filter(instance_id=instance_id).first()
    if found is None:
        raise Unknown(f"there is no instance {instance_id[:64]!r}")
    return found


def _take(push: Push, told: Told) -> bool:
    with transaction.atomic():
        instance = Instance.objects.select_for_update().filter(instance_id=push.instance_id).first()
        made = instance is None
        if instance is None:
            instance = _new(push, told)
        fresh = _fresh(instance, push)
        _describe(instance, push, told)
        runs = _learn(instance, fresh, push.makes, told)
        instance.due_at = _due(instance, told.received_at)
        instance.save()
        CheckRun.objects.bulk_create(runs)
    return made


def _new(push: Push, told: Told) -> Instance:
    if Instance.objects.count() >= MOST:
        raise Unknown(f"there are {MOST:,} instances; remove some first")
    return Instance(
        instance_id=push.instance_id, first_seen_at=told.received_at, last_seen_at=told.received_at
    )


def _fresh(instance: Instance, push: Push) -> list[CheckTold]:
    """The checks of rounds that were not taken in before."""
    if not push.spool or not push.checks:
        return list(push.checks)
    last = instance.spools.get(push.spool, -1)
    fresh = [check for check in push.checks if check.round > last]
    newest = max([last, *(check.round for check in push.checks)])
    others = {spool: number for spool, number in instance.spools.items() if spool != push.spool}
    kept = list(others.items())[-(SPOOLS_KEPT - 1) :]
    instance.spools = dict([*kept, (push.spool, newest)])
    return fresh


def _describe(instance: Instance, push: Push, told: Told) -> None:
    now = told.received_at
    instance.hostname = push.hostname or instance.hostname
    instance.version = push.version or instance.version
    instance.address = told.address[:64]
    instance.interval = push.interval or _gap(instance, now)
    instance.waiting, instance.dropped = push.waiting, push.dropped
    instance.last_seen_at = now
    if push.sent_at is not None:
        instance.clock_offset = round((push.sent_at - now).total_seconds(), 3)
    times = [check.at for check in push.checks if check.at]
    if times and push.sent_at is not None:
        instance.lag = max(0.0, round((push.sent_at - min(times)).total_seconds(), 3))


def _gap(instance: Instance, now: datetime) -> int:
    """What lies between two pushes, where the agent does not say, as one that cron runs: the longest of
    late. After the first push nothing is known."""
    passed = int((now - instance.last_seen_at).total_seconds())
    if instance.pk is None:
        return 0
    return min(LONGEST_GAP, max(SHORTEST_GAP, passed, instance.interval - instance.interval // 8))


def _learn(
    instance: Instance, fresh: Sequence[CheckTold], makes: Collection[str] | None, told: Told
) -> list[CheckRun]:
    """Put down what was found; a result is kept where it differs from the last, else now and then."""
    known: dict[str, dict[str, str]] = dict(instance.checks)
    runs = []
    for check in fresh:
        at = check.at or told.received_at
        before = known.get(check.check)
        if before is None and len(known) >= MOST_CHECKS:
            continue
        found = _found(check, before, at)
        known[check.check] = found
        if found["stored_at"] == found["at"]:
            runs.append(_run(instance, check, at, told))
    instance.checks = {check: found for check, found in known.items() if makes is None or check in makes}
    statuses = [found["status"] for found in instance.checks.values()]
    instance.status = worst(status for status in statuses if status in RANK)
    return runs


def _found(check: CheckTold, before: dict[str, str] | None, at: datetime) -> dict[str, str]:
    """What a check found last: since when it says so, and when that was last kept as a run."""
    moment = at.isoformat()
    found = {"status": check.status, "message": check.message.replace("\0", ""), "at": moment}
    if before is None or before["status"] != check.status:
        return found | {"since": moment, "stored_at": moment}
    old = at - datetime.fromisoformat(before["stored_at"]) >= SAMPLED
    return found | {"since": before["since"], "stored_at": moment if old else before["stored_at"]}


def _run(instance: Instance, check: CheckTold, at: datetime, told: Told) -> CheckRun:
    return CheckRun(
        checker=check.check,
        instance=instance.instance_id,
        status=check.status,
        message=check.message.replace("\0", ""),
        metrics=check.metrics,
        trace_id=told.trace_id,
        started_at=at,
    )


def _due(instance: Instance, now: datetime) -> datetime | None:
    """At once where the watch has something to say, else when it will be overdue."""
    if instance.state == Instance.SILENT or clock_is_wrong(instance) != instance.clock_wrong:
        return now
    return look_at(instance)
