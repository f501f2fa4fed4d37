"""Set-based SQL, on whatever database the tests run."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.accounts.models import ApiKey
from tocsin.db import bulk

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TABLE = ApiKey._meta.db_table
COLUMNS = ("name", "digest", "prefix", "scope", "created_at")
pytestmark = pytest.mark.django_db(transaction=True)


def _row(name: str, scope: str = "read") -> tuple[object, ...]:
    return name, f"digest of {name}", "p", scope, bulk.moment(NOON)


def _names() -> list[str]:
    return sorted(ApiKey.objects.values_list("name", flat=True))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 1000])
def test_any_number_of_rows_is_inserted_and_updated(count: int) -> None:
    names = [f"k{number:04}" for number in range(count)]
    bulk.insert(ApiKey, COLUMNS, [_row(name) for name in names])
    assert _names() == names
    bulk.update(ApiKey, ("scope", "prefix"), ("name",), [("write", name[-3:], name) for name in names[::2]])
    found = dict(ApiKey.objects.values_list("name", "scope"))
    assert found == {name: "read" if place % 2 else "write" for place, name in enumerate(names)}


def test_an_update_changes_only_rows_that_match_every_key() -> None:
    bulk.insert(ApiKey, COLUMNS, [_row("a"), _row("b", "write")])
    bulk.update(ApiKey, ("prefix",), ("name", "scope"), [("new", "a", "read"), ("new", "b", "read")])
    assert dict(ApiKey.objects.values_list("name", "prefix")) == {"a": "new", "b": "p"}


def test_rows_that_break_a_constraint_are_skipped_where_that_is_asked() -> None:
    bulk.insert(ApiKey, COLUMNS, [_row("a")])
    bulk.insert(ApiKey, COLUMNS, [_row("a"), _row("b")], ignore=True)
    assert _names() == ["a", "b"]
    with pytest.raises(IntegrityError):
        bulk.insert(ApiKey, COLUMNS, [_row("c"), _row("a")])


@pytest.mark.parametrize("count", [0, 1, 3, 2000])
def test_among_any_number_of_values(count: int) -> None:
    bulk.insert(ApiKey, COLUMNS, [_row("k1"), _row("k2"), _row("x")])
    where, params = bulk.among("name", [f"k{number}" for number in range(count)])
    found = bulk.fetch(f"SELECT name FROM {TABLE} WHERE {where} ORDER BY name", params)
    assert found == [(name,) for name in ("k1", "k2") if int(name[1:]) < count]


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)))
def test_values_are_values_whatever_they_hold(values: list[str]) -> None:
    where, params = bulk.among("name", values)
    assert bulk.fetch(f"SELECT name FROM {TABLE} WHERE {where}", params) == []


@given(st.integers(0, 200_000_000_000), st.integers(0, 999_999))
def test_a_moment_comes_back_as_it_went_in(seconds: int, microsecond: int) -> None:
    when = EPOCH + timedelta(seconds=seconds, microseconds=microsecond)
    moment = bulk.read_moment(bulk.moment(when))
    assert moment == when
    assert moment is not None
    assert moment.tzinfo is UTC


def test_the_orm_reads_the_moments_that_raw_sql_wrote() -> None:
    bulk.insert(ApiKey, COLUMNS, [_row("a")])
    assert ApiKey.objects.get().created_at == NOON
    assert ApiKey.objects.filter(created_at__lte=NOON, created_at__gte=NOON).exists()
    assert (bulk.moment(None), bulk.read_moment(None)) == (None, None)


def test_a_transaction_is_whole_or_not_at_all() -> None:
    with pytest.raises(ZeroDivisionError), bulk.transaction():
        bulk.insert(ApiKey, COLUMNS, [_row("a")])
        raise ZeroDivisionError
    assert _names() == []
    with pytest.raises(DatabaseError), bulk.transaction():
        bulk.insert(ApiKey, COLUMNS, [_row("a")])
        bulk.execute("SELECT nonsense FROM nowhere", [])
    assert _names() == []
    with bulk.transaction():
        bulk.insert(ApiKey, COLUMNS, [_row("a")])
    assert _names() == ["a"]


def test_a_transaction_may_lie_within_the_orms_own() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        with bulk.transaction():
            bulk.insert(ApiKey, COLUMNS, [_row("a")])
        raise ZeroDivisionError
    assert _names() == []
