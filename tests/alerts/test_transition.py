"""What one message changes about an alert: state follows the source's own times."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tests.world import World
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.alerts.transition import MOST_AHEAD, State, apply, opened

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def firing(start: float | None = 0, severity: str = "warning") -> AlertEvent:
    starts_at = None if start is None else _at(start)
    return AlertEvent(labels={"alertname": "x"}, starts_at=starts_at, severity=severity)


def resolved(end: float | None, start: float | None = 0) -> AlertEvent:
    return AlertEvent(
        labels={"alertname": "x"},
        status="resolved",
        starts_at=None if start is None else _at(start),
        ends_at=None if end is None else _at(end),
    )


LATER = _at(3600)


def told(first: AlertEvent, *events: AlertEvent, now: datetime = LATER) -> tuple[State, list[str]]:
    """The state after messages, the first of which fires, and the changes they made."""
    state, changes = opened(first, "{}", now), ["fired"]
    for event in events:
        state, change = apply(state, event, "{}", now)
        changes += [change] if change else []
    return state, changes


def test_a_repeated_message_changes_nothing() -> None:
    assert told(firing(), firing(), firing())[1] == ["fired"]
    assert told(firing(), resolved(60), resolved(60), resolved(60))[1] == ["fired", "resolved"]


def test_a_late_message_about_an_episode_that_is_over_does_not_reopen_it() -> None:
    state, changes = told(firing(), resolved(60), firing())
    assert (state.status, changes) == ("resolved", ["fired", "resolved"])
    assert told(firing(), resolved(60), firing(30))[0].status == "resolved"


def test_a_new_start_after_the_end_is_a_new_episode() -> None:
    state, changes = told(firing(), resolved(60), firing(61))
    assert (state.status, state.episode, changes) == ("firing", 2, ["fired", "resolved", "refired"])


def test_it_may_fire_again_within_the_second_of_its_end() -> None:
    history = firing(0), resolved(60), firing(60)
    assert told(*history)[1] == ["fired", "resolved", "refired"]
    state, _ = told(*history, resolved(60))  # the first end once more
    assert (state.status, state.episode) == ("firing", 2)


def test_an_episode_may_be_shorter_than_its_source_can_tell() -> None:
    assert told(firing(0), resolved(0))[1] == ["fired", "resolved"]


def test_an_end_by_a_clock_behind_ours_ends_what_began_by_ours() -> None:
    assert told(firing(None), resolved(60, start=None))[1] == ["fired", "resolved"]


def test_the_same_end_once_more_does_not_end_the_next_episode() -> None:
    history = firing(None), resolved(60, start=None), firing(None)
    assert told(*history, resolved(60, start=None))[1] == ["fired", "resolved", "refired"]
    assert told(*history, resolved(160, start=None))[1] == ["fired", "resolved", "refired", "resolved"]


def test_an_end_from_before_the_start_speaks_of_an_earlier_episode() -> None:
    assert told(firing(100), resolved(50, start=0))[1] == ["fired"]


def test_without_times_of_the_source_the_order_of_arrival_counts() -> None:
    history = firing(None), resolved(None, None), firing(None), resolved(None, None)
    assert told(*history)[1] == ["fired", "resolved", "refired", "resolved"]


def acknowledged() -> AlertEvent:
    return AlertEvent(labels={"alertname": "x"}, status="acknowledged", starts_at=_at(0))


def test_an_acknowledgement_leaves_the_alert_as_it_is() -> None:
    state, changes = told(firing(), acknowledged())
    assert (state.status, state.episode, changes) == ("firing", 1, ["fired", "acknowledged"])
    assert told(firing(), resolved(60), acknowledged())[1] == ["fired", "resolved"]


def test_severity_moves_and_the_episode_goes_on() -> None:
    state, changes = told(firing(), firing(severity="critical"), firing(severity="critical"))
    assert (state.severity, state.episode, changes) == ("critical", 1, ["fired", "severity"])


def test_an_earlier_start_is_taken_on() -> None:
    assert told(firing(60), firing(0))[0].started_at == _at(0)
    assert told(firing(0), firing(60))[0].started_at == _at(0)


def test_a_start_in_the_future_is_now() -> None:
    assert told(firing(7200), now=_at(0))[0].started_at == _at(0)


def test_an_end_far_in_the_future_does_not_hide_what_comes_next() -> None:
    state, _ = told(firing(), resolved(1e9))
    assert state.ended_at == _at(3600) + MOST_AHEAD
    later = _at(3600) + 2 * MOST_AHEAD
    assert apply(state, AlertEvent(labels={}, starts_at=later), "{}", later)[1] == "refired"


def test_after_a_timeout_the_same_start_means_that_the_source_is_back() -> None:
    state, _ = told(firing())
    state.status, state.ended_at, state.timed_out = "resolved", _at(300), True
    after, change = apply(state, firing(), "{}", _at(600))
    assert (after.status, after.timed_out, change) == ("firing", False, "refired")


STARTS = st.integers(min_value=0, max_value=1000)
EPISODE = st.tuples(STARTS, st.integers(min_value=1, max_value=1000))  # its start, and how long


@given(st.lists(st.integers(0, 5), max_size=12), EPISODE)
def test_one_episode_ends_alike_in_whatever_order_and_number_its_messages_come(
    picks: list[int], episode: tuple[int, int]
) -> None:
    start, length = episode
    messages = [
        firing(start),
        firing(start, "critical"),
        firing(start, "info"),
        resolved(start + length, start),
        resolved(start + length, None),
        resolved(start + length, start),
    ]
    state, _ = told(firing(start), *(messages[pick] for pick in picks), resolved(start + length, start))
    assert (state.status, state.started_at) == ("resolved", _at(start))
    assert (state.ended_at, state.episode) == (_at(start + length), 1)


@given(st.data(), st.lists(st.integers(1, 50), min_size=2, max_size=12))
def test_with_several_episodes_repeats_of_earlier_messages_change_nothing(
    data: st.DataObject, lengths: list[int]
) -> None:
    """Each message comes in time at least once. What was sent before may come again whenever it likes."""
    times = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    messages = [
        firing(times[n]) if n % 2 == 0 else resolved(times[n], times[n - 1]) for n in range(len(lengths))
    ]
    repeated: list[AlertEvent] = []
    for n, message in enumerate(messages):
        repeated += [message, *data.draw(st.lists(st.sampled_from(messages[: n + 1]), max_size=3))]
    assert told(*repeated) == told(*messages)


# The same through the journal, where an end may come before anything fired.

START, END = "2026-11-21T11:50:00Z", "2026-11-21T11:55:00Z"


def test_in_both_orders_the_end_is_the_end_and_there_is_no_ghost(world: World) -> None:
    for number, order in enumerate(permutations(["firing", "resolved", "firing"])):
        for status in order:
            ended = {"ended_at": END} if status == "resolved" else {}
            world.post({"name": f"Order{number}", "status": status, "started_at": START, **ended})
        world.forward(seconds=5)
    assert not Alert.objects.filter(status=Alert.FIRING).exists()
    assert not Incident.objects.filter(status=Incident.OPEN).exists()
    assert not AlertHistory.objects.filter(decision=AlertHistory.PENDING).exists()


def test_an_end_without_a_beginning_is_noted_and_makes_nothing(world: World) -> None:
    world.channel()
    world.resolve(started_at=START, ended_at=END)
    world.resolve(started_at=START, ended_at=END)
    world.work()
    assert not Alert.objects.exists()
    assert not Incident.objects.exists()
    assert world.sent == []
    entry = AlertHistory.objects.get()
    assert (entry.kind, entry.decision) == ("resolved", AlertHistory.IGNORED)
    assert entry.reason == "it ends an alert that was not open"


def test_a_beginning_that_comes_after_its_end_is_noted_as_late(world: World) -> None:
    world.resolve(started_at=START, ended_at=END)
    world.fire(started_at=START)
    world.work()
    assert not Alert.objects.exists()
    assert AlertHistory.objects.latest("pk").reason == "it speaks of an episode that had already ended"

    world.fire(started_at="2026-11-21T11:59:00Z")
    assert Alert.objects.get().status == Alert.FIRING


def test_the_zero_time_is_no_end(world: World) -> None:
    world.post(
        {"alerts": [{"labels": {"alertname": "x"}, "startsAt": START, "endsAt": "0001-01-01T00:00:00Z"}]},
        "alertmanager",
    )
    alert = Alert.objects.get()
    assert (alert.status, alert.ended_at, alert.expires_at) == (Alert.FIRING, None, None)


def _prometheus(world: World, ends_in: timedelta, start: str = START) -> None:
    ends_at = (world.now + ends_in).isoformat()
    world.post([{"labels": {"alertname": "Down"}, "startsAt": start, "endsAt": ends_at}], "prometheus")


def test_an_end_in_the_future_is_an_expiry_that_each_message_moves(world: World) -> None:
    for _ in range(5):
        _prometheus(world, timedelta(minutes=4))
        world.forward(minutes=3)
    assert AlertHistory.objects.count() == 1
    assert Alert.objects.get().status == Alert.FIRING
    world.forward(minutes=2)
    assert (Alert.objects.get().status, Alert.objects.get().timed_out) == (Alert.RESOLVED, True)


def test_an_end_in_the_past_is_an_end_however_often_it_is_told(world: World) -> None:
    _prometheus(world, timedelta(minutes=4))
    ended = world.now
    for _ in range(4):
        world.post(
            [{"labels": {"alertname": "Down"}, "startsAt": START, "endsAt": ended.isoformat()}], "prometheus"
        )
        world.forward(minutes=1)
    assert list(AlertHistory.objects.order_by("pk").values_list("kind", flat=True)) == ["fired", "resolved"]
    assert Alert.objects.get().ended_at == ended


def test_a_source_that_was_silent_comes_back_with_the_same_start(world: World) -> None:
    world.channel()
    _prometheus(world, timedelta(minutes=4))
    world.forward(minutes=10)
    _prometheus(world, timedelta(minutes=4))
    world.work()
    assert world.kinds() == ["firing", "resolved", "firing"]
    assert list(AlertHistory.objects.order_by("pk").values_list("kind", flat=True)) == [
        "fired",
        "expired",
        "refired",
    ]


def test_an_end_leaves_the_alert_as_it_was_told_when_it_fired(world: World) -> None:
    world.post(
        {"name": "Job", "fingerprint": "j1", "labels": {"instance": "a"}, "url": "https://ci.example.com/1"}
    )
    world.post({"name": "Job is fine", "fingerprint": "j1", "status": "ok"})
    alert = Alert.objects.get()
    assert (alert.status, alert.name, alert.labels["instance"]) == (Alert.RESOLVED, "Job", "a")
    assert alert.generator_url == "https://ci.example.com/1"
