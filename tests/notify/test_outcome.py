"""What follows from a try: waiting longer each time, as long as the receiver asks, and an end to it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.db.work import backoff
from tocsin.notify.outcome import (
    FIRST_RETRY_SECONDS,
    GIVE_UP_AFTER,
    LONGEST_RETRY_SECONDS,
    UNCLEAR_TRIES,
    Outcome,
    next_try,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FAILED = Outcome("d1", "w.1", error="HTTP 500")


@given(st.integers(1, 200))
def test_the_wait_doubles_up_to_its_bound_and_jitters_over_its_upper_half(attempts: int) -> None:
    ceiling = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (attempts - 1))
    wait = backoff(attempts, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS).total_seconds()
    assert ceiling / 2 <= wait <= ceiling


def test_waits_differ_so_that_not_all_come_back_at_once() -> None:
    assert len({backoff(5, 2, 900) for _ in range(20)}) > 10


def test_the_receivers_wish_counts_where_it_is_longer() -> None:
    asked = Outcome("d1", "w.1", error="HTTP 429", retry_after=600)
    assert next_try(asked, 1, NOW, NOW) == NOW + timedelta(seconds=600)
    hasty = Outcome("d1", "w.1", error="HTTP 429", retry_after=0)
    due = next_try(hasty, 10, NOW, NOW)
    assert due is not None
    assert due > NOW + timedelta(seconds=LONGEST_RETRY_SECONDS / 2 - 1)


def test_what_no_retry_helps_is_given_up_at_once() -> None:
    assert next_try(Outcome("d1", "w.1", error="HTTP 404", final=True), 1, NOW, NOW) is None


def test_what_failed_too_long_is_given_up() -> None:
    assert next_try(FAILED, 50, NOW - GIVE_UP_AFTER, NOW) is not None
    assert next_try(FAILED, 50, NOW - GIVE_UP_AFTER - timedelta(seconds=1), NOW) is None


def test_what_may_have_been_taken_is_not_sent_for_hours() -> None:
    unclear = Outcome("d1", "w.1", error="HTTP 200 with a page", unclear=True)
    assert next_try(unclear, UNCLEAR_TRIES - 1, NOW, NOW) is not None
    assert next_try(unclear, UNCLEAR_TRIES, NOW, NOW) is None
    assert next_try(FAILED, UNCLEAR_TRIES, NOW, NOW) is not None
