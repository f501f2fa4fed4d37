"""Counts what is asked of the database, raw statements included."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements this thread runs, in a list that is complete at the end."""
    found: list[str] = []
    if connection.vendor != "sqlite":
        with CaptureQueriesContext(connection) as captured:
            yield found
        found += [query["sql"] for query in captured.captured_queries]
        return
    connection.ensure_connection()
    connection.connection.set_trace_callback(found.append)
    try:
        yield found
    finally:
        connection.connection.set_trace_callback(None)
