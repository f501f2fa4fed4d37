"""A replay from its beginning to its end: what is in force, what a file changes, both played, and how they
differ."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from tocsin.core.terminal import moment
from tocsin.orchestration.replay import changes, configuration
from tocsin.orchestration.replay.compare import Count, Difference, compare
from tocsin.orchestration.replay.configuration import Configuration, SourceRules
from tocsin.orchestration.replay.lines import End, Fed, Orders
from tocsin.orchestration.replay.processes import feed, theatres
from tocsin.orchestration.replay.record import Record, Recorded

ODD: Final = 0.1  # by which share a play may differ from what is on record, before people are told
FEW: Final = 3
Watch = Callable[[int, datetime], None]  # told how many entries were read, and of which time


class Replay(msgspec.Struct):
    """What was on record, and how a changed configuration would have differed from the present one.
    ``notes`` tell how far that can be believed."""

    since: datetime
    until: datetime
    recorded: Recorded
    difference: Difference
    notes: list[str]
    seconds: float


def replay(path: Path, since: datetime, until: datetime, watch: Watch) -> Replay:
    """Play what happened between two moments. Raises Rejected for what cannot be used of a file, Unavailable
    where the play breaks off."""
    began, record = time.monotonic(), Record(since, until)
    present = configuration.present(record.earliest(), until)
    changed = changes.read(path, present, since, until)
    rest = since, configuration.channel_keys(), _relabelled(present, changed)
    with theatres(Orders(present, *rest), Orders(changed, *rest)) as both:
        feed(both, _watched(record, until, watch))
        for one in both:
            one.finish()
        enabled = [name for name, channel in changed.channels.items() if channel.enabled]
        difference = compare(both[0].answers, both[1].answers, enabled)
    notes = [*_limits(record.found), *_doubts(record.found, difference)]
    return Replay(since, until, record.found, difference, notes, round(time.monotonic() - began, 3))


def _watched(record: Record, until: datetime, watch: Watch) -> Iterator[Fed]:
    for count, line in enumerate(record.lines(), 1):
        yield line
        if count % 1_000 == 0:
            watch(count, line.received_at)
    yield End(until)


def _relabelled(present: Configuration, changed: Configuration) -> dict[str, dict[str, str]]:
    """The default labels of the sources that would have others."""
    none = SourceRules()
    return {
        name: source.labels
        for name in {**present.sources, **changed.sources}
        if (source := present.sources.get(name, none)).labels != changed.sources.get(name, none).labels
    }


def _limits(found: Recorded) -> Iterator[str]:
    if found.begins is not None and found.begins > found.since:
        yield f"The record begins at {moment(found.begins)} UTC; what came before is not there any more."
    if found.passed_over:
        yield (
            f"{found.passed_over:,} entries could not be played, as their alert or incident is not there any"
            " more: they count neither before nor after."
        )
    for name in configuration.only_with_secrets():
        yield (
            f"The definition {name} cannot be walked without its secrets, which a replay has not:"
            " in both plays the next that matches was walked instead."
        )


def _doubts(found: Recorded, difference: Difference) -> Iterator[str]:
    """What people should know before they believe it."""
    played = sum(count.before for count in difference.messages.values())
    sent = sum(found.messages.values())
    odd = [
        f"{then:,} {what} then, {now:,} when played"
        for what, then, now in (
            ("incidents", found.incidents, difference.incidents.before),
            ("messages", sent, played),
        )
        if abs(then - now) > max(FEW, ODD * max(then, now))
    ]
    if odd:
        yield (
            f"With the present configuration the play differs from what is on record ({'; '.join(odd)}):"
            " it was another one then, nodes asked others who are not asked here, or people did what is not"
            " played. Both sides of the comparison are plays; believe its tendency rather than its numbers."
        )


def total(counts: Iterable[Count]) -> Count:
    """The sum of these."""
    some = list(counts)
    return Count(sum(one.before for one in some), sum(one.after for one in some))
