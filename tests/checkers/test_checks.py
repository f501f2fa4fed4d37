"""Checkers on the machine the tests run on."""

import pytest

from tocsin.checkers.checks import CRITICAL, OK, RANK, WARNING, CheckResult, Thresholds, checkers


def _check(name: str, **options: object) -> CheckResult:
    kind = checkers.get(name)
    return kind(kind.Config.model_validate(options)).check()


@pytest.mark.parametrize("name", checkers.names())
def test_every_checker_finds_something_here(name: str) -> None:
    result = _check(name)
    assert result.checker == name
    assert result.status in RANK
    assert result.message
    assert result.metrics
    for metric, value in result.metrics.items():
        assert value >= 0, metric


@pytest.mark.parametrize(
    ("name", "metric"), [("cpu", "busy_percent"), ("memory", "used_percent"), ("disk", "used_percent")]
)
def test_percents_are_percents_and_decide_the_status(name: str, metric: str) -> None:
    assert 0 <= _check(name).metrics[metric] <= 100
    assert _check(name, warning=0, critical=101).status == WARNING
    assert _check(name, warning=0, critical=0).status == CRITICAL
    assert _check(name, warning=101, critical=101).status == OK


def test_a_second_reading_of_the_processors_covers_the_time_between() -> None:
    kind = checkers.get("cpu")
    checker = kind(kind.Config())
    for _ in range(2):
        assert 0 <= checker.check().metrics["busy_percent"] <= 100


def test_a_disk_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/place"):
        _check("disk", paths=["/no/such/place"])


@pytest.mark.parametrize(
    ("percent", "status"),
    [(0, OK), (79.9, OK), (80, WARNING), (91.9, WARNING), (92, CRITICAL), (100, CRITICAL)],
)
def test_thresholds_begin_where_they_say(percent: float, status: str) -> None:
    assert Thresholds().status(percent) == status
