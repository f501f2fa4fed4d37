"""Checkers on the machine the tests run on."""

import pytest

from tests.checkers.looking import checker, look
from tocsin.checkers.checks import CRITICAL, OK, RANK, WARNING, Thresholds, checkers, summary

EVERYWHERE = [name for name in checkers.names() if checkers.get(name).everywhere]


@pytest.mark.parametrize("name", EVERYWHERE)
def test_what_runs_everywhere_finds_something_here_without_options(name: str) -> None:
    there = checker(name)
    for result in (there.check(), there.check()):
        assert result.checker == name
        assert result.status in RANK
        assert result.message and "\n" not in result.message
        assert result.metrics
        for metric, value in result.metrics.items():
            assert value >= 0, metric


def test_these_run_everywhere() -> None:
    assert EVERYWHERE == [
        "cpu", "disk", "load", "memory", "network", "process", "raid", "reboot_required", "swap", "systemd",
        "temperature",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "metric"), [("cpu", "busy_percent"), ("memory", "used_percent"), ("disk", "used_percent[/]")]
)
def test_percents_are_percents_and_decide_the_status(name: str, metric: str) -> None:
    assert 0 <= look(name).metrics[metric] <= 100
    assert look(name, warning=0, critical=101).status == WARNING
    assert look(name, warning=0, critical=0).status == CRITICAL
    assert look(name, warning=101, critical=101).status == OK


@pytest.mark.parametrize(
    ("percent", "status"),
    [(0, OK), (79.9, OK), (80, WARNING), (91.9, WARNING), (92, CRITICAL), (100, CRITICAL)],
)
def test_thresholds_begin_where_they_say(percent: float, status: str) -> None:
    assert Thresholds().status(percent) == status


def test_a_summary_tells_the_worst_first_and_not_all_of_many() -> None:
    assert summary([(OK, "fine")], "all is well") == (OK, "all is well")
    found = [(WARNING, "a is full"), (OK, "b is fine"), (CRITICAL, "c is gone")]
    assert summary(found, "all is well") == (CRITICAL, "c is gone; a is full")
    many = [(WARNING, str(number)) for number in range(10)]
    assert summary(many, "") == (WARNING, "0; 1; 2; 3; 4; 5; 6; 7; and 2 more")
