"""Fixtures that all tests share, and the count of random inputs at the end."""

import os
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from tests.fakes.receiver import Receiver
from tests.fakes.receiver import receiver as local_receiver
from tests.world import World
from tocsin.orchestration.models import PipelineDefinition

# How long something takes is not what tests are about, and machines differ.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


_SCHEMA = {"django_migrations", "django_content_type", "auth_permission"}


@cache
def _tables() -> list[str]:
    return sorted(set(connection.introspection.django_table_names(include_views=False)) - _SCHEMA)


def _empty_tables(case: TransactionTestCase) -> None:
    """What Django does after each test that commits, for the tables that hold something alone, and keeping
    what belongs to the schema: its own way empties all, and makes content types and permissions anew."""
    quote = connection.ops.quote_name
    held = "SELECT '{0}' FROM (SELECT 1 AS one) AS x WHERE EXISTS (SELECT 1 FROM {1})"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(held.format(table, quote(table)) for table in _tables()))
        tables = [row[0] for row in cursor.fetchall()]
        with connection.constraint_checks_disabled(), transaction.atomic():
            for table in tables:
                cursor.execute(f"DELETE FROM {quote(table)}")


TransactionTestCase._fixture_teardown = _empty_tables  # type: ignore[method-assign]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another database than SQLite only tests that touch it say anything new."""
    if not os.environ.get("TOCSIN_TEST_DATABASE_URL"):
        return
    kept = [item for item in items if _touches_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _touches_database(item)])
    items[:] = kept


def _touches_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not {"db", "transactional_db"}.isdisjoint(
        fixtures
    )


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What migrations put into the database would be there for the first test alone: the others begin
    with empty tables. At the end PostgreSQL drops no database that a thread of the last test is about to let
    go of."""
    with django_db_blocker.unblock():
        PipelineDefinition.objects.all().delete()
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with local_receiver() as found:
        yield found


@pytest.fixture
def world(transactional_db: None, receiver: Receiver) -> World:
    return World(receiver)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many random inputs were tried; see ``tests/alerts/test_mutated_input.py``."""
    given: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name.startswith("inputs: "):
                given[name.removeprefix("inputs: ")] += value
    if given:
        told = ", ".join(f"{count:,} {kind}" for kind, count in given.most_common())
        terminalreporter.write_line(f"{given.total():,} random inputs: {told}")
