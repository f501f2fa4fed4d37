"""Why was I told? An incident's story in a few lines: what came in, what was decided, who was told by which
route, and who was left out."""

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings

from tocsin.chat.blocks import link, plain, told
from tocsin.orchestration import story
from tocsin.orchestration.story import Delivery, Entry, Run, Stage, Story

ENTRIES: Final = 4
RUNS: Final = 2
CHANNELS: Final = 12


def why(incident_id: int) -> dict[str, Any]:
    """The answer. Raises Rejected where there is no such incident."""
    found = story.tell(f"#{incident_id}")
    incident = next(row for row in found.incidents if row.id == incident_id)
    page = link(f"{settings.PUBLIC_URL}/incidents/{incident.id}/", "The whole story")
    lines = [f"{incident.severity} · {incident.status} · {page}", *_came_in(found), *_told(found)]
    return told(lines, f"#{incident.id} {plain(incident.title)}")


def _came_in(found: Story) -> Iterator[str]:
    for entry in found.entries[-ENTRIES:]:
        yield f"• {_time(entry)} {plain(entry.kind)} {plain(entry.name)}: {plain(_reason(entry), 600)}"


def _reason(entry: Entry) -> str:
    return entry.reason or entry.decision or "it is yet to be decided on"


def _time(row: Entry | Run) -> str:
    at = row.received_at if isinstance(row, Entry) else row.created_at
    return f"{at:%m-%d %H:%M:%S}"


def _told(found: Story) -> Iterator[str]:
    """Of the newest runs, what their nodes that notify decided."""
    sent = {delivery.id: delivery for delivery in found.deliveries}
    telling = [(run, stage) for run in found.runs for stage in run.stages if stage.type == "notify"]
    for run, stage in telling[-RUNS:]:
        yield f"*{_time(run)} UTC, as it was {plain(run.reason)}:*"
        yield from list(_channels(stage, sent))[:CHANNELS]
    if not telling:
        yield "Nobody has been told of it."


def _channels(stage: Stage, sent: dict[str, Delivery]) -> Iterator[str]:
    output = stage.output
    for item in output.get("deliveries", []):
        ways = [str(item[way]) for way in ("route", "muted") if item.get(way)]
        by = f" ({plain('; '.join(ways), 400)})" if ways else ""
        yield f"• {plain(str(item.get('channel', '')))}{by}: {_state(sent.get(str(item.get('id'))))}"
    for channel, reason in output.get("left_out", {}).items():
        yield f"• {plain(str(channel))} was left out: {plain(str(reason), 400)}"
    if output.get("reason") and not output.get("left_out"):
        yield f"• {plain(str(output['reason']), 400)}"
    if stage.error:
        yield f"• it failed: {plain(stage.error, 400)}"


def _state(delivery: Delivery | None) -> str:
    if delivery is None:
        return "what came of it is not kept any more"
    if delivery.sent_at is not None:
        return f"{delivery.state} {delivery.sent_at:%H:%M:%S}"
    return delivery.state + (f", {plain(delivery.last_error, 300)}" if delivery.last_error else "")
