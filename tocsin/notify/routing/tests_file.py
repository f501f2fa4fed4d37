"""Tests of routing in a file: what should become of alerts, and whether it does.

A test asks who gets an alert at a moment. One with ``alerts`` is a scenario: it lets alerts come and end, and
asks what is sent when; ``at`` then counts from its ``start``.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from tocsin.core.durations import compact
from tocsin.core.errors import Rejected
from tocsin.core.terminal import moment
from tocsin.notify.routing import alertmanager, document, lines, simulator
from tocsin.notify.routing.expected import START, Comes, ExpectedMessage, Scenario, Test
from tocsin.notify.routing.inhibition import InhibitRule
from tocsin.notify.routing.lines import Node, Problem, Unsound
from tocsin.notify.routing.simulator import Event, Held, Played, Sent
from tocsin.notify.routing.story import muting
from tocsin.notify.routing.tree import Decision, Tree, compile_tree, resolve

_EXPECTED: Final = ("receivers", "channels", "group_by", "muted", "muted_until")


class Outcome(msgspec.Struct, frozen=True):
    """Whether a test came out as expected, and what came instead."""

    name: str
    line: int
    passed: bool
    failures: list[str]


class Report(msgspec.Struct, frozen=True):
    """All outcomes of a file; ``problems`` say why it could not be run."""

    file: str
    outcomes: list[Outcome] = []
    problems: list[str] = []

    @property
    def passed(self) -> bool:
        """Whether all came out as expected."""
        return not self.problems and all(outcome.passed for outcome in self.outcomes)


class _Setting(msgspec.Struct, frozen=True):
    """The tree under test."""

    tree: Tree
    send_resolved: dict[str, bool] = {}
    rules: list[InhibitRule] = []


def run_file(file: Path) -> Report:
    """Run the tests of a file."""
    try:
        return Report(str(file), list(_outcomes(file)))
    except Unsound as error:
        return Report(str(file), problems=[str(problem) for problem in error.problems])
    except Rejected as error:
        return Report(str(file), problems=[str(error)])


def _outcomes(file: Path) -> Iterator[Outcome]:
    try:
        with file.open("rb") as opened:
            root = lines.read(opened.read(lines.MAX_BYTES + 1))
    except OSError as error:
        raise Rejected(f"cannot read it: {error.strerror}") from error
    written = _tests(root)
    setting = _setting(root, file.absolute().parent)
    for node, test in written:
        failures = _scenario(setting, test) if isinstance(test, Scenario) else _test(setting, test)
        yield Outcome(test.name, node.line, not failures, failures)


def _setting(root: Node, folder: Path) -> _Setting:
    """The tree of ``routing``, or of the file that ``config`` names."""
    if routing := root.get("routing"):
        return _Setting(compile_tree(document.read(routing.plain(), routing)))
    found = folder / root.text("config")
    try:
        imported = alertmanager.read_file(found)
    except Unsound as error:
        told = [msgspec.structs.replace(one, path=f"{found.name}: {one.path}") for one in error.problems]
        raise Unsound(told) from None
    resolved = {channel.name: channel.send_resolved for channel in imported.channels}
    return _Setting(compile_tree(imported.routing), resolved, imported.inhibit_rules)


def _tests(root: Node) -> list[tuple[Node, Test | Scenario]]:
    """The tests of a file, checked. Raises Unsound, which tells all that is wrong."""
    found: list[tuple[Node, Test | Scenario]] = []
    problems = [
        Problem(node.line, node.path, "there is no such field")
        for name, node in root.fields().items()
        if name not in ("config", "routing", "tests")
    ]
    if bool(root.get("routing")) == bool(root.text("config")):
        problems.append(Problem(root.line, "", "either config or routing says what is tested"))
    tests = root.get("tests")
    if tests is None or not tests.items():
        problems.append(Problem(root.line, "tests", "there are no tests"))
    for node in tests.items() if tests else ():
        kind: type[Test | Scenario] = Scenario if "alerts" in node.fields() else Test
        try:
            found.append((node, lines.validated(kind, node.plain(), node)))
        except Unsound as error:
            problems += error.problems
    if problems:
        raise Unsound(problems)
    return found


# One alert at one moment.


def _test(setting: _Setting, test: Test) -> list[str]:
    at = test.at or START
    decisions = resolve(setting.tree, test.labels, at)
    if test.at is None and (test.expect.muted is not None or test.expect.muted_until is not None):
        return ["whether it is muted depends on the time: say at"]
    return [
        f"{field}: expected {_shown(wanted)}, it is {_shown(came)}"
        for field in _EXPECTED
        if (wanted := getattr(test.expect, field)) is not None and (came := _came(field, decisions)) != wanted
    ]


def _came(field: str, decisions: Sequence[Decision]) -> Any:
    """What the decisions are in one respect; a list of it where they differ."""
    if field == "receivers":
        return [decision.receiver for decision in decisions]
    if field == "channels":
        return [channel for decision in decisions for channel in decision.channels]
    each = [_fact(field, decision) for decision in decisions]
    return each[0] if all(fact == each[0] for fact in each) else each


def _fact(field: str, decision: Decision) -> Any:
    if field == "group_by":
        return [document.ALL_LABELS] if decision.group_by is None else list(decision.group_by)
    if field == "muted":
        return decision.muted is not None
    return decision.muted.until if decision.muted else None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{moment(value)} UTC"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return "none" if value is None else str(value)


# Scenarios.


def _scenario(setting: _Setting, test: Scenario) -> list[str]:
    until = test.until
    if until is None:
        until = max([one.at for one in test.alerts] + [one.at for one in test.expect])
    events = [_event(test.start, one) for one in test.alerts]
    try:
        end = test.start + timedelta(seconds=until)
        played = simulator.play(setting.tree, events, end, setting.send_resolved, setting.rules)
    except Rejected as error:
        return [str(error)]
    return _differences(test, played)


def _event(start: datetime, one: Comes) -> Event:
    at = start + timedelta(seconds=one.at)
    return Event(at, one.labels, one.status == "firing", at - timedelta(seconds=one.firing_for))


def _differences(test: Scenario, played: Played) -> list[str]:
    """What should have been sent and was not, and what was sent besides."""
    left = list(played.sent)
    missing = []
    for wanted in test.expect:
        found = next((sent for sent in left if _fits(wanted, sent, test.start)), None)
        if found is None:
            missing.append(f"expected, but not sent: {_wanted(wanted)}")
        else:
            left.remove(found)
    besides = [f"sent, but not expected: {_sent(sent, test.start)}" for sent in left]
    held = [
        f"held back: {_offset_of(held.at, test.start)} {held.receiver}: {_why(held)}" for held in played.held
    ]
    return [*missing, *besides, *held] if missing or besides else []


def _why(held: Held) -> str:
    return muting(held.muting, held.at) if held.muting else "inhibited by other alerts"


def _fits(wanted: ExpectedMessage, sent: Sent, start: datetime) -> bool:
    facts = {
        "receiver": sent.receiver,
        "kind": sent.kind,
        "alerts": sent.alerts,
        "firing": sent.firing,
        "resolved": sent.resolved,
        "group": sent.group,
    }
    if wanted.channel is not None and wanted.channel not in sent.channels:
        return False
    given = {name: value for name in facts if (value := getattr(wanted, name)) is not None}
    at = start + timedelta(seconds=wanted.at)
    return sent.at == at and all(facts[name] == value for name, value in given.items())


def _wanted(wanted: ExpectedMessage) -> str:
    given = wanted.model_dump(exclude_unset=True, exclude={"at"})
    return " ".join([f"+{_length(wanted.at)}", *(f"{name}={value}" for name, value in given.items())])


def _sent(sent: Sent, start: datetime) -> str:
    told = f"alerts={sent.alerts} ({sent.firing} firing, {sent.resolved} resolved)"
    to = sent.receiver or ", ".join(sent.channels)
    return f"{_offset_of(sent.at, start)} receiver={to} kind={sent.kind} {told}"


def _offset_of(at: datetime, start: datetime) -> str:
    return f"+{_length(int((at - start).total_seconds()))}"


def _length(seconds: int) -> str:
    return compact(seconds) or "0s"
