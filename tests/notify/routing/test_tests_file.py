"""Tests of routing in a file: what passes, what fails, and what came instead."""

import shutil
from pathlib import Path

import pytest

from tests.notify.routing.files import FIXTURES
from tocsin.notify.routing.tests_file import Report, run_file

HEAD = "config: shop.yml\ntests:\n"
INLINE = """\
routing:
  route:
    channels: [chat]
    group_wait: 10s
    routes:
      - name: holidays
        matchers: [team="web"]
        channels: [mail, pager]
        mute_time_intervals: [closed]
  time_intervals:
    - {name: closed, time_intervals: [{holidays: [germany], location: Europe/Berlin}]}
  holidays: {germany: ["12-25"]}
tests:
"""
ONE = "- {name: x, labels: {a: b}, expect: {receivers: [lonely]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(FIXTURES / "shop.yml", tmp_path)
    return tmp_path


def ran(folder: Path, text: str) -> Report:
    file = folder / "tests.yml"
    file.write_text(text)
    return run_file(file)


def failures(folder: Path, test: str, head: str = HEAD) -> list[str]:
    """What is told of one test."""
    report = ran(folder, head + test)
    assert not report.problems
    [outcome] = report.outcomes
    assert (outcome.passed, outcome.line) == (not outcome.failures, len(head.splitlines()) + 1)
    return outcome.failures


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        ("receivers: [web, pager]", ""),
        ("receivers: [pager, web]", "receivers: expected [pager, web], it is [web, pager]"),
        ("channels: [web, pager]", ""),
        ("channels: []", "channels: expected [], it is [web, pager]"),
        ("group_by: ['...']", "group_by: expected [...], it is [[alertname, cluster], [...]]"),
        ("muted: false", "muted: expected no, it is [yes, no]"),
    ],
)
def test_one_alert_at_one_moment(folder: Path, expect: str, failure: str) -> None:
    labels = "{team: web, path: /api/1}"
    found = failures(
        folder, f"- {{name: x, at: 2026-11-23T23:00Z, labels: {labels}, expect: {{{expect}}}}}\n"
    )
    assert found == ([failure] if failure else [])


@pytest.mark.parametrize(
    ("at", "expect", "failure"),
    [
        ("2026-12-25T10:00:00+01:00", "muted: true, muted_until: 2026-12-26T00:00:00+01:00", ""),
        ("2026-12-25T10:00:00", "muted_until: 2026-12-26", "it is 2026-12-25 23:00:00 UTC"),
        ("2026-12-25T23:30:00Z", "muted: true", "muted: expected yes, it is no"),
        ("2026-12-26", "channels: [mail, pager], receivers: ['']", ""),
        ("2026-12-26", "muted_until: 2026-12-26", "it is none"),
    ],
)
def test_a_tree_in_the_file(folder: Path, at: str, expect: str, failure: str) -> None:
    test = f"- {{name: x, at: '{at}', labels: {{team: web}}, expect: {{{expect}}}}}\n"
    found = failures(folder, test, INLINE)
    assert failure in "".join(found) if failure else not found


def test_muting_needs_a_time(folder: Path) -> None:
    test = "- {name: x, labels: {team: web}, expect: {muted: true}}\n"
    assert failures(folder, test) == ["whether it is muted depends on the time: say at"]


STORY = """\
- name: two databases
  start: 2026-11-23T09:00:00Z
  until: +30m
  alerts:
    - {at: 0s, labels: {alertname: Down, service: mysql, database: a}}
    - {at: +5s, labels: {alertname: Down, service: mysql, database: b}}
    - {at: +6s, labels: {alertname: Down, service: mysql, database: b, instance: "2"}}
    - {at: 7m, status: resolved, labels: {alertname: Down, service: mysql, database: a}}
  expect:
"""
SAID = "    - {at: +10s, receiver: dba, alerts: 1, kind: first, group: {alertname: Down, database: a}}\n"
SECOND = "    - {at: +15s, receiver: dba, channel: dba slack, alerts: 2, firing: 2, resolved: 0}\n"


def test_a_scenario(folder: Path) -> None:
    assert failures(folder, STORY + SAID + SECOND) == []


def test_what_was_sent_besides_and_what_was_not(folder: Path) -> None:
    found = failures(folder, STORY + SECOND + "    - {at: +20s, receiver: chat}\n")
    assert found == [
        "expected, but not sent: +20s receiver=chat",
        "sent, but not expected: +10s receiver=dba kind=first alerts=1 (1 firing, 0 resolved)",
    ]


def test_ends_are_told_to_those_channels_that_hear_of_them(folder: Path) -> None:
    story = """\
- name: ends
  alerts:
    - {at: 0s, labels: {severity: none, team: x}}
    - {at: 1m, labels: {severity: none, team: x}, status: resolved}
  expect:
    - {at: +30s, channel: chat}
    - {at: +5m30s, kind: resolved}
"""
    assert failures(folder, story) == []


def test_what_is_held_back_is_told_with_what_fails(folder: Path) -> None:
    story = """\
- name: night
  start: 2026-11-23T22:00:00Z
  alerts: [{at: 0s, labels: {team: web, alertname: A}}]
  expect: [{at: +30s, receiver: web}]
"""
    assert failures(folder, story)[1:] == [
        "held back: +30s web: muted by nights, until 2026-11-24 05:00:00 UTC (for 6 h 59 min 30 s)"
    ]


def test_inhibitions_of_the_config_count(folder: Path) -> None:
    story = """\
- name: one is enough
  alerts:
    - {at: 0s, labels: {alertname: Down, severity: critical, cluster: eu, team: x}}
    - {at: 0s, labels: {alertname: Down, severity: warning, cluster: eu, team: x}}
    - {at: 0s, labels: {alertname: Down, severity: warning, cluster: us, team: x}}
  expect:
    - {at: +30s, receiver: chat, group: {alertname: Down, cluster: eu}, alerts: 1}
    - {at: +30s, receiver: chat, group: {alertname: Down, cluster: us}, alerts: 1}
"""
    assert failures(folder, story) == []


def test_a_scenario_without_an_end(folder: Path) -> None:
    story = "- {name: x, until: 99d, alerts: [{at: 0s, labels: {}}]}\n"
    head = "routing: {route: {channels: [a], group_interval: 1s}}\ntests:\n"
    assert "let it end earlier" in failures(folder, story, head)[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: tests: there are no tests"),
        (f"tests:\n{ONE}", "either config or routing says what is tested"),
        (f"config: a.yml\nrouting: {{}}\ntests:\n{ONE}", "either config or routing says what is tested"),
        (f"config: nowhere.yml\ntests:\n{ONE}", "nowhere.yml: No such file"),
        (f"config: tests.yml\ntests:\n{ONE}", "line 1: tests.yml: config: there is no such field"),
        (f"{HEAD}- {{labels: {{}}}}\n", "line 3: tests[0].name: it is missing"),
        (f"{HEAD}- {{name: x, labels: {{}}, expect: {{recever: x}}}}\n", "line 3: tests[0].expect.recever"),
        (f"{HEAD}- {{name: x, at: noon, labels: {{}}, expect: {{}}}}\n", "tests[0].at: 'noon' is no time"),
        (f"{HEAD}- {{name: x, at: 0001-01-01, labels: {{}}, expect: {{}}}}\n", "'0001-01-01' is no time"),
        (f"{HEAD}- {{name: x, alerts: []}}\n", "line 3: tests[0].alerts"),
        (f"{HEAD}- {{name: x, alerts: [{{at: soon, labels: {{}}}}]}}\n", "'soon' is no duration"),
        (f"colour: red\n{HEAD}{ONE}", "line 1: colour: there is no such field"),
        (
            "routing: {route: {receiver: x}}\ntests:\n" + ONE,
            "line 1: routing.route.receiver: undefined receiver",
        ),
        ("a: [", "not YAML"),
    ],
)
def test_files_that_cannot_be_run(folder: Path, text: str, said: str) -> None:
    report = ran(folder, text)
    assert not report.passed
    assert said in "; ".join(report.problems)


def test_a_file_that_is_not_there(folder: Path) -> None:
    assert run_file(folder / "x.yml").problems == ["cannot read it: No such file or directory"]
