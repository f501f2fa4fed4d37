"""Since when a check is as it is: what the hub is told as begin and end."""

from datetime import datetime, timedelta
from pathlib import Path

from tests.agent.rounds import START, after
from tocsin.agent.rounds import Alert, Round, encode
from tocsin.agent.states import LONGEST_MESSAGE, States
from tocsin.checkers.checks import CheckResult


def told(states: States, status: str, seconds: float, message: str = "so it is") -> Alert:
    result = CheckResult("cpu", status, message, {"busy_percent": 50.0})
    return states.alert("cpu", "cpu", "web-1", result, after(seconds))


def times(alert: Alert) -> tuple[datetime, datetime | None]:
    return alert.started_at, alert.ended_at


def test_each_status_as_the_contract_maps_it(tmp_path: Path) -> None:
    for status, mapped in {
        "ok": ("resolved", "info"),
        "warning": ("firing", "warning"),
        "critical": ("firing", "critical"),
        "unknown": ("firing", "warning"),
        "nonsense": ("firing", "warning"),
    }.items():
        alert = told(States(tmp_path / "none"), status, 0)
        assert (alert.status, alert.severity) == mapped
        assert (alert.fingerprint, alert.name) == ("cpu-web-1", "CpuUnhealthy")
        assert alert.labels == {"checker": "cpu", "hostname": "web-1"}


def test_ok_that_goes_on_keeps_its_times(tmp_path: Path) -> None:
    states = States(tmp_path / "states")
    first = told(states, "ok", 0)
    assert not first.steady and times(first) == (START, START)
    for minute in range(1, 5):
        again = told(states, "ok", 60 * minute)
        assert again.steady and times(again) == (START, START)


def test_worse_and_less_bad_keep_the_begin(tmp_path: Path) -> None:
    states = States(tmp_path / "states")
    told(states, "ok", 0)
    for seconds, status, steady in (
        (60, "warning", False), (120, "critical", False), (180, "critical", True), (240, "unknown", False),
        (300, "warning", False),
    ):  # fmt: skip
        alert = told(states, status, seconds)
        assert times(alert) == (after(60), None) and alert.steady is steady
    over = told(states, "ok", 360)
    assert times(over) == (after(60), after(360)) and not over.steady
    assert times(told(states, "ok", 420)) == (after(60), after(360))
    assert times(told(states, "critical", 480)) == (after(480), None)


def test_times_outlive_a_restart(tmp_path: Path) -> None:
    states = States(tmp_path / "states")
    told(states, "critical", 0)
    states.save(7)
    again = States(tmp_path / "states")
    assert again.seq == 7
    alert = told(again, "critical", 3_600)
    assert alert.steady and times(alert) == (START, None)


def test_what_was_spooled_and_not_saved_is_learnt_from_the_round(tmp_path: Path) -> None:
    states = States(tmp_path / "states")
    told(states, "ok", 0)
    states.save(1)
    lost = told(states, "critical", 60)  # here it was killed, with this one spooled
    again = States(tmp_path / "states")
    again.catch_up([Round("spool", 2, after(60), [lost])])
    alert = told(again, "critical", 120)
    assert alert.steady and times(alert) == (after(60), None)


def test_a_lost_or_broken_file_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "states").write_text('{"seq": 7, "checks"')
    assert told(States(tmp_path / "states"), "critical", 0).started_at == START


def test_nothing_ends_before_it_began(tmp_path: Path) -> None:
    states = States(tmp_path / "states")
    told(states, "critical", 0)
    alert = told(states, "ok", -3_600)  # the clock was set back
    assert alert.ended_at == alert.started_at == START


def test_what_is_not_checked_any_more_ends_once(tmp_path: Path) -> None:
    states = States(tmp_path / "states")
    told(states, "critical", 0)
    assert states.forget({"cpu"}, "web-1", after(60)) == []
    (end,) = states.forget({"disk"}, "web-1", after(60))
    assert (end.status, end.fingerprint, end.check_status) == ("resolved", "cpu-web-1", "ok")
    assert times(end) == (START, after(60)) and not end.steady
    assert states.forget({"disk"}, "web-1", after(120)) == []
    told(states, "ok", 180)
    assert states.forget({"disk"}, "web-1", after(240)) == [], "what was well does not end"


def test_the_time_of_a_result_is_that_of_its_end(tmp_path: Path) -> None:
    slow = CheckResult("cpu", "ok", "so it is", {}, 2_500)
    alert = States(tmp_path / "none").alert("cpu", "cpu", "web-1", slow, START)
    assert alert.checked_at == START + timedelta(seconds=2.5)


def test_what_no_document_can_hold_is_left_out_or_cut(tmp_path: Path) -> None:
    odd = CheckResult("cpu", "ok", "a\udcff" + "x" * 5_000, {"a": float("nan"), "b": 1.0, "c\udcff": 2.0})
    alert = States(tmp_path / "none").alert("cpu", "cpu", "web-1", odd, START)
    assert alert.metrics == {"b": 1.0, "c?": 2.0}
    assert len(alert.annotations["message"]) == LONGEST_MESSAGE
    assert encode(Round("spool", 1, START, [alert]))
