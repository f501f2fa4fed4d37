"""How the fleet is."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from tocsin.chat.blocks import link, plain, told
from tocsin.checkers.checks import OK
from tocsin.core.durations import lasting
from tocsin.fleet import survey
from tocsin.fleet.summary import Module

DEVICES: Final = 5  # of each module, the worst
MODULES: Final = 20
MACHINES: Final = 25
SIGNS: Final = {"ok": "🟢", "warning": "🟡", "critical": "🔴", "silent": "⚫", "unknown": "⚪"}


def health(text: str, now: datetime) -> dict[str, Any]:
    """Each module: how many of its devices are heard from, and which are not well."""
    found = [module for module in survey.survey(now) if module.devices]
    lines = [line for module in found[:MODULES] for line in _module(module)]
    if len(found) > MODULES:
        lines.append(f"… and {len(found) - MODULES} more")
    return told([*(lines or ["Nothing is watched here yet."]), _page()], "Health")


def _module(module: Module) -> Iterator[str]:
    worst = module.devices[0].status
    yield f"{_sign(worst)} *{plain(module.name)}*: {module.online} of {len(module.devices)} heard from"
    unwell = [device for device in module.devices if device.status != OK]
    for device in unwell[:DEVICES]:
        troubles = ", ".join(plain(alert.name, 80) for alert in device.alerts[:3])
        yield f"    {_sign(device.status)} {plain(device.id, 120)} {device.status}" + (
            f": {troubles}" if troubles else ""
        )
    if len(unwell) > DEVICES:
        yield f"    … and {len(unwell) - DEVICES} more"


def machines(text: str, now: datetime) -> dict[str, Any]:
    """The instances, those that are silent first."""
    rows = survey.first_silent().values_list("instance_id", "state", "status", "version", "last_seen_at")
    found = list(rows[: MACHINES + 1])
    lines = [_machine(*row, now) for row in found[:MACHINES]]
    if len(found) > MACHINES:
        lines.append("… and more")
    return told([*(lines or ["No machine pushes here yet."]), _page()], "Fleet")


def _machine(name: str, state: str, status: str, version: str, seen: datetime, now: datetime) -> str:
    said = "silent" if state == "silent" else status
    ago = lasting(max(0, int((now - seen).total_seconds())))
    return f"{_sign(said)} *{plain(name, 120)}* {plain(said, 20)}, heard of {ago} ago · {plain(version, 40)}"


def _sign(status: str) -> str:
    return SIGNS.get(status, "⚪")


def _page() -> str:
    return link(f"{settings.PUBLIC_URL}/fleet/", "The fleet in Tocsin")
