"""Making, changing and ending silences, by Alertmanager's rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.alerts import silences
from tocsin.alerts.models import Silence
from tocsin.alerts.silences import NoSuchSilence, Wanted
from tocsin.core.errors import Rejected
from tocsin.core.matchers import parse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def wanted(text: str = "instance=web-1", **given: Any) -> Wanted:
    """A silence from now for an hour, unless told otherwise."""
    fields: dict[str, Any] = {
        "starts_at": NOW,
        "ends_at": NOW + HOUR,
        "comment": "repair",
        "created_by": "bo",
    }
    return Wanted(parse(text), **(fields | given))


def put(text: str = "instance=web-1", now: datetime = NOW, **given: Any) -> str:
    return silences.put(wanted=wanted(text, **given), now=now)


def state(silence_id: str, now: datetime = NOW) -> str:
    return Silence.objects.get(pk=silence_id).state(now)


def test_a_silence_comes_holds_and_ends_by_the_clock() -> None:
    made = put(starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    assert state(made, NOW) == Silence.PENDING
    assert state(made, NOW + HOUR) == Silence.ACTIVE
    assert state(made, NOW + 2 * HOUR) == Silence.EXPIRED


def test_a_start_in_the_past_is_now() -> None:
    made = Silence.objects.get(pk=put(starts_at=NOW - HOUR))
    assert (made.starts_at, made.updated_at) == (NOW, NOW)
    assert made.matchers == [{"isEqual": True, "isRegex": False, "name": "instance", "value": "web-1"}]


@pytest.mark.parametrize(
    ("text", "given", "why"),
    [
        ("a=b", {"ends_at": NOW}, "start time must be before end time"),
        ("a=b", {"starts_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR}, "end time can't be in the past"),
        ("{}", {}, "at least one matcher"),
        ("a=~.*,b=", {}, "at least one matcher"),
        ("a!=b", {}, "at least one matcher"),
        (",".join(f"a{n}=b" for n in range(101)), {}, "101 matchers"),
        ("a=b", {"comment": "x" * 9_000}, "8192 characters"),
        ("a=b", {"created_by": "x" * 256}, "255"),
        ("a=b", {"comment": "\0"}, "NUL"),
    ],
)
def test_what_is_refused_says_why(text: str, given: dict[str, Any], why: str) -> None:
    with pytest.raises(Rejected, match=why):
        put(text, **given)
    assert not Silence.objects.exists()


def test_one_in_force_is_changed_in_place_where_only_its_end_and_words_change() -> None:
    made = put()
    later = NOW + timedelta(minutes=5)
    changed = put(now=later, id=made, ends_at=NOW + 2 * HOUR, comment="longer")
    found = Silence.objects.get()
    assert changed == made == found.id
    assert (found.starts_at, found.ends_at, found.comment) == (NOW, NOW + 2 * HOUR, "longer")
    assert found.updated_at == later


def test_other_matchers_or_another_start_make_another_silence() -> None:
    first = put()
    second = put("instance=web-2", id=first)
    third = put("instance=web-2", id=second, starts_at=NOW + timedelta(minutes=1))
    assert len({first, second, third}) == 3
    assert [state(one) for one in (first, second, third)] == [
        Silence.EXPIRED, Silence.EXPIRED, Silence.PENDING
    ]  # fmt: skip


def test_one_to_come_may_be_moved() -> None:
    made = put(starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    assert put(id=made, starts_at=NOW + 2 * HOUR, ends_at=NOW + 3 * HOUR) == made
    assert Silence.objects.get().starts_at == NOW + 2 * HOUR
    assert put(id=made, starts_at=NOW - HOUR, ends_at=NOW + HOUR) != made


def test_one_that_is_over_is_never_revived() -> None:
    made = put()
    silences.expire(silence_id=made, now=NOW)
    assert put(id=made) != made
    assert state(made) == Silence.EXPIRED


def test_a_refused_change_leaves_the_old_one_in_force() -> None:
    made = put()
    with pytest.raises(Rejected):
        put("a=~.*", id=made)
    assert state(made) == Silence.ACTIVE


def test_an_unknown_id_is_told() -> None:
    with pytest.raises(NoSuchSilence, match="silence not found"):
        put(id="11111111-1111-1111-1111-111111111111")
    with pytest.raises(NoSuchSilence):
        silences.expire(silence_id="11111111-1111-1111-1111-111111111111", now=NOW)


def test_ending_twice_changes_nothing_more() -> None:
    made = put(starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    silences.expire(silence_id=made, now=NOW)
    silences.expire(silence_id=made, now=NOW + HOUR)
    found = Silence.objects.get()
    assert (found.starts_at, found.ends_at, found.updated_at) == (NOW, NOW, NOW)


def test_what_ended_long_ago_is_listed_no_more() -> None:
    made = put()
    assert silences.listed(NOW + HOUR + timedelta(days=4)).get().pk == made
    assert not silences.listed(NOW + HOUR + timedelta(days=6)).exists()
