"""Monitors as a file wants them, and what must be done to have them so."""

import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from django.db import transaction

from tocsin.checkers import monitors
from tocsin.checkers.models import Monitor
from tocsin.checkers.setup import Setup, Wrong, options, read
from tocsin.core.errors import Rejected
from tocsin.core.secret_fields import revealed

Kind = Literal["add", "change", "keep", "remove"]
_COMPARED = ("checker", "interval", "jitter", "failures", "recoveries", "labels", "severities", "enabled")


class Step(msgspec.Struct):
    """What is to be done to which monitor; ``changes`` names the fields that differ."""

    kind: Kind
    monitor: str
    changes: list[str] = []


def wanted(path: str) -> dict[str, Setup]:
    """The monitors that a file sets up, by name. Raises Rejected, which names file, table and field."""
    try:
        document = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Rejected(f"{path}: {error}") from None
    tables = document.pop("monitors", {})
    if document or not isinstance(tables, dict):
        known = "a file of monitors has tables [monitors.NAME] and nothing else"
        raise Rejected(f"{path}: {', '.join(document) or 'monitors'}: {known}")
    return {name: _setup(path, name, table) for name, table in tables.items()}


def apply(setups: dict[str, Setup], now: datetime, dry_run: bool = False) -> list[Step]:
    """Have these monitors, and of those that a file made no others; return what was, or would be, done.
    All of it is one transaction. Raises Rejected."""
    with transaction.atomic():
        known = {each.name: each for each in Monitor.objects.select_for_update().order_by("name")}
        steps = list(_steps(setups, known))
        for step in steps if not dry_run else ():
            _do(step, setups.get(step.monitor), known.get(step.monitor), now)
    return steps


def _setup(path: str, name: str, table: Any) -> Setup:
    where = f"{path}: [monitors.{name}]"
    if not isinstance(table, dict):
        raise Rejected(f"{where}: it must be a table")
    if "name" in table:
        raise Rejected(f"{where} name: a monitor is called as its table")
    try:
        return read({**table, "name": name})
    except Wrong as error:
        raise Rejected(f"{where} {error}") from None


def _steps(setups: dict[str, Setup], known: dict[str, Monitor]) -> Iterator[Step]:
    for name, setup in setups.items():
        old = known.get(name)
        changes = _differences(setup, old) if old is not None else []
        yield Step("add" if old is None else "change" if changes else "keep", name, changes)
    for name, monitor in known.items():
        if monitor.origin == Monitor.FILE and name not in setups:
            yield Step("remove", name)


def _differences(setup: Setup, old: Monitor) -> list[str]:
    found = [name for name in _COMPARED if getattr(setup, name) != getattr(old, name)]
    if revealed(options(setup.checker, setup.options)) != old.options:
        found.append("options")
    return found if old.origin == Monitor.FILE else [*found, "origin"]


def _do(step: Step, setup: Setup | None, old: Monitor | None, now: datetime) -> None:
    if step.kind == "remove" and old is not None:
        monitors.remove(monitor_id=old.pk, now=now)
    elif setup is not None and step.kind == "add":
        monitors.create(setup=setup, origin=Monitor.FILE, now=now)
    elif setup is not None and old is not None and step.kind == "change":
        monitors.change(monitor_id=old.pk, setup=setup, now=now, origin=Monitor.FILE)
