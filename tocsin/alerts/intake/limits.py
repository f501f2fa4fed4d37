"""What an alert may be: bounds that hold whatever driver read it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count

import msgspec

from tocsin.alerts.events import AlertEvent, Problem, Reading

MAX_ALERTS = 20_000
MAX_LABELS = 256
MAX_NAME = 256
MAX_VALUE = 8_192
MAX_ANNOTATION = 65_536
MAX_FINGERPRINT = 64
MAX_LINK = 8_192
TOO_LONG = "a value is too long"
CUT = "tocsin_cut"  # the annotation that says what was cut
_YEARS = range(1970, 9000)


def keep_good(reading: Reading) -> Reading:
    """Move alerts that break a bound to the errors; the others stay, with values that are too long cut."""
    good, errors = [], list(reading.errors)
    for index, event in zip(_places(reading), reading.alerts, strict=False):
        wrong = what_is_wrong(event) if index < MAX_ALERTS else f"more than {MAX_ALERTS} alerts in one post"
        if wrong is TOO_LONG:
            event = _cut(event)
            wrong = what_is_wrong(event)
        if wrong is None:
            good.append(event)
        else:
            errors.append(Problem(index, wrong))
    return Reading(good, sorted(errors, key=lambda problem: problem.index))


def _places(reading: Reading) -> Iterator[int]:
    """Each alert's place in the payload, where those that could not be read have theirs too."""
    if not reading.errors:
        return count()
    unread = {problem.index for problem in reading.errors}
    return (place for place in count() if place not in unread)


def what_is_wrong(event: AlertEvent) -> str | None:
    """Why an alert cannot be taken, in words for its sender; None when it can."""
    if not event.labels:
        return "at least one label pair required"
    if len(event.labels) > MAX_LABELS:
        return f"{len(event.labels)} labels; at most {MAX_LABELS} are taken"
    if len(event.fingerprint) > MAX_FINGERPRINT or "\0" in event.fingerprint:
        return f"the fingerprint is longer than {MAX_FINGERPRINT} characters or holds a NUL"
    if "\0" in event.name or "\0" in event.generator_url or len(event.generator_url) > MAX_LINK:
        return f"the name or the link holds a NUL, or the link is longer than {MAX_LINK} characters"
    for moment in (event.starts_at, event.ends_at, event.expires_at):
        if moment is not None and moment.year not in _YEARS:
            return f"the time {moment.isoformat()} is out of range"
    return (
        _pairs("label", event.labels, MAX_VALUE)
        or _pairs("annotation", event.annotations, MAX_ANNOTATION)
        or _order(event.starts_at, event.ends_at)
    )


def wrong_labels(labels: Mapping[str, str]) -> str | None:
    """Why these cannot be labels; None when they can."""
    if len(labels) > MAX_LABELS:
        return f"{len(labels)} labels; at most {MAX_LABELS} are taken"
    return _pairs("label", labels, MAX_VALUE)


def _pairs(kind: str, pairs: Mapping[str, str], longest: int) -> str | None:
    for name, value in pairs.items():
        if not name or len(name) > MAX_NAME or not name.isprintable():
            return f"{kind} name {name[:40]!r} is empty, longer than {MAX_NAME} characters or not printable"
        if len(value) > longest:
            return TOO_LONG
        if "\0" in value:
            return f"{kind} {name!r} holds a NUL character"
    return None


def _cut(event: AlertEvent) -> AlertEvent:
    """The alert with its values within bounds, and an annotation that says what is missing."""
    told: list[str] = []
    labels = _shortened("label", event.labels, MAX_VALUE, told)
    annotations = _shortened("annotation", event.annotations, MAX_ANNOTATION, told)
    said = "; ".join(told)[:MAX_ANNOTATION]
    return msgspec.structs.replace(event, labels=labels, annotations=annotations | {CUT: said})


def _shortened(kind: str, pairs: dict[str, str], longest: int, told: list[str]) -> dict[str, str]:
    for name, value in pairs.items():
        if len(value) > longest:
            told.append(f"{kind} {name} cut from {len(value)} to {longest} characters")
    return {name: value[:longest] for name, value in pairs.items()}


def _order(starts_at: datetime | None, ends_at: datetime | None) -> str | None:
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        return "start time must be before end time"
    return None
