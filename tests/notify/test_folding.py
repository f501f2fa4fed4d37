"""Several messages as one: whatever they are, what they tell is in it, or counted."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.messages import message
from tocsin.core.severity import RANK
from tocsin.notify import folding
from tocsin.notify.message import ALERTS_SHOWN, FIRING, RESOLVED, Message, MessageAlert

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
severities = st.sampled_from(sorted(RANK))
alerts = st.builds(
    MessageAlert,
    name=st.just("A"),
    status=st.sampled_from(["firing", "resolved"]),
    severity=severities,
    fingerprint=st.integers(0, 40).map(str),
    labels=st.dictionaries(st.sampled_from(["service", "job", "app", "x"]), st.text(max_size=3), max_size=3),
    annotations=st.just({}),
    started_at=st.integers(0, 3600).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


@st.composite
def told(draw: st.DrawFn) -> Message:
    """Any message of an incident."""
    return msgspec.structs.replace(
        message(),
        kind=draw(st.sampled_from([FIRING, RESOLVED])),
        severity=draw(severities),
        alerts=draw(st.lists(alerts, max_size=ALERTS_SHOWN, unique_by=lambda alert: alert.fingerprint)),
        more_alerts=draw(st.integers(0, 5)),
        firing=draw(st.integers(0, 30)),
        title=draw(st.text(max_size=5)),
    )


@given(st.lists(told(), min_size=1, max_size=6))
def test_the_newest_tells_of_each_alert_as_it_is_now(messages: list[Message]) -> None:
    one = folding.newest(messages)
    last = {alert.fingerprint: alert for told in messages for alert in told.alerts}
    assert one.kind == messages[-1].kind
    assert len(one.alerts) == min(len(last), ALERTS_SHOWN)
    assert all(last[alert.fingerprint] == alert for alert in one.alerts)
    assert len(one.alerts) + one.more_alerts == len(last) + sum(told.more_alerts for told in messages)


@given(st.lists(told(), min_size=1, max_size=6), st.integers(1, 5))
def test_folding_in_steps_says_the_same_as_at_once(messages: list[Message], split: int) -> None:
    first, rest = messages[:split], messages[split:]
    steps, at_once = folding.newest([folding.newest(first), *rest]), folding.newest(messages)
    assert (steps.kind, steps.title, len(steps.alerts)) == (at_once.kind, at_once.title, len(at_once.alerts))


@given(st.lists(told(), min_size=1, max_size=30), st.floats(0, 100_000))
def test_a_digest_counts_every_alert_once(messages: list[Message], seconds: float) -> None:
    one = folding.digest(messages, seconds, id="i", trace_id="t", url="u")
    assert one.total == sum(max(1, len(told.alerts) + told.more_alerts) for told in messages)
    assert RANK[one.severity] == max(RANK[told.severity] for told in messages)
    assert one.firing == sum(told.firing for told in messages if told.kind != RESOLVED)
    assert len(one.findings) <= folding.SERVICES_SHOWN + 2
