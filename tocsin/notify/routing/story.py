"""Sentences about routing: who gets what and why, why not, and when; and the tree drawn as text."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from tocsin.core.durations import lasting
from tocsin.core.matchers import EQUAL, Matcher, to_text
from tocsin.core.terminal import moment
from tocsin.notify.routing.document import ALL_LABELS, Route, Routing
from tocsin.notify.routing.tree import INACTIVE, Decision, Muting, Refusal, Step


def story(decision: Decision, labels: Mapping[str, str], at: datetime) -> list[str]:
    """What one route does with an alert, in sentences."""
    return [taking(decision), grouping(decision, labels), timing(decision), *_hours(decision, at)]


def taking(decision: Decision) -> str:
    """``dba is told (channels chat, mail): route.routes[2] matches by {service="db"}.``"""
    matched = [step for step in decision.steps if step.matchers]
    told = whom(decision.receiver, decision.channels)
    if not matched:
        return f"{told}: no other route took it, so the root does."
    ways = ", then ".join(f"{at(step)} by {to_text(step.matchers)}" for step in matched)
    return f"{told}: it matched {ways}."


def whom(receiver: str, channels: tuple[str, ...]) -> str:
    """Who is told, and by which channels."""
    listed = ", ".join(channels)
    if not channels:
        return f"{receiver or 'nobody'} is told by no channel" if receiver else "Nobody is told"
    if not receiver:
        return f"{listed} {'is' if len(channels) == 1 else 'are'} told"
    return f"{receiver} is told" if channels == (receiver,) else f"{receiver} is told (by {listed})"


def at(step: Step) -> str:
    """A route as people find it: its place, and its name where it has one."""
    return f"{step.path} ({step.name})" if step.name else step.path


def grouping(decision: Decision, labels: Mapping[str, str]) -> str:
    """Which alerts are told together with this one."""
    if decision.group_by is None:
        return "Each set of labels is a group of its own."
    if not decision.groups:
        return "Its group is made by TOCSIN_GROUP_BY, as no route says by which labels."
    if not decision.group_by:
        return "All alerts of this route are one group."
    group = decision.group(labels)
    values = ", ".join(str(Matcher(name, EQUAL, value)) for name, value in group.items())
    return (
        f"Its group is that of {values}."
        if values
        else f"Its group has no {' and no '.join(decision.group_by)}."
    )


def timing(decision: Decision) -> str:
    """When a group is told."""
    wait = f"after {lasting(decision.group_wait)}" if decision.group_wait else "at once"
    interval, repeat = lasting(decision.group_interval), lasting(decision.repeat_interval)
    return f"A new group is told {wait}, its news each {interval}, the same again after {repeat}."


def muting(found: Muting, now: datetime) -> str:
    """Why a route is silent, and until when."""
    names = ", ".join(found.intervals)
    why = f"outside of {names}" if found.reason == INACTIVE else f"muted by {names}"
    return f"{why}, {_until(found.until, now)}"


def refusal(found: Refusal) -> str:
    """Why a route did not take an alert."""
    if found.matcher is None:
        return f"{at(found.step)} was not asked: {found.taken_by} took it, and does not continue."
    value = f'is "{found.value}"' if found.value else "is not there"
    return f"{at(found.step)} did not match: it asks for {found.matcher}, and {found.matcher.name} {value}."


def _hours(decision: Decision, now: datetime) -> Iterator[str]:
    if decision.muted:
        yield f"Nothing is sent now: {muting(decision.muted, now)}."
    elif decision.active_in:
        yield f"It is within {', '.join(decision.active_in)}, {_until(decision.active_until, now)}."
    elif decision.active_until:
        yield f"It is not muted, {_until(decision.active_until, now)}."


def _until(then: datetime | None, now: datetime) -> str:
    if then is None:
        return "for five years at least"
    return f"until {moment(then)} UTC (for {lasting(int((then - now).total_seconds()))})"


# The tree as text.


def draw(routing: Routing) -> list[str]:
    """A line for each route, those below it drawn under it."""
    return [_line(routing.route, "route"), *_below(routing.route, "")]


def _below(route: Route, indent: str) -> Iterator[str]:
    for place, child in enumerate(route.routes):
        last = place == len(route.routes) - 1
        yield f"{indent}{'└─' if last else '├─'} {_line(child, to_text(child.conditions()))}"
        yield from _below(child, indent + ("   " if last else "│  "))


def _line(route: Route, head: str) -> str:
    facts = [route.name and f"({route.name})", head, *_facts(route)]
    return "  ".join(filter(None, facts))


def _facts(route: Route) -> Iterator[str]:
    if route.receiver or route.channels is not None:
        yield f"→ {route.receiver or ', '.join(route.channels or []) or 'nobody'}"
    if route.continues:
        yield "continue"
    yield from timings(route)


def timings(route: Route) -> Iterator[str]:
    """How a route groups, and when it tells, as far as it says so itself."""
    if route.group_by is not None:
        labels = "all labels" if ALL_LABELS in route.group_by else ", ".join(route.group_by)
        yield f"group by {labels or 'nothing'}"
    for field, word in (
        ("group_wait", "wait"),
        ("group_interval", "interval"),
        ("repeat_interval", "repeat"),
    ):
        if (seconds := getattr(route, field)) is not None:
            yield f"{word} {lasting(seconds)}"
    for names, word in ((route.mute_time_intervals, "mute"), (route.active_time_intervals, "active")):
        if names:
            yield f"{word} {', '.join(names)}"
