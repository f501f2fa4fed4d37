"""The stage of a theatre: an empty database with a configuration, and a history played on it."""

from collections.abc import Iterable, Iterator
from typing import IO

from django.apps import apps
from django.db import connection

from tocsin.orchestration.replay import configuration
from tocsin.orchestration.replay.lines import End, Fed, encode, read_fed, read_orders
from tocsin.orchestration.replay.relabel import Relabel
from tocsin.orchestration.replay.rerun import Rerun, hasten


def play(fed: IO[bytes], answers: IO[bytes]) -> None:
    """Play what is fed. Raises EOFError where it ends before its end."""
    first = fed.readline()
    if not first.endswith(b"\n"):
        raise EOFError
    orders = read_orders(first)
    hasten()
    _build()
    configuration.put(orders.configuration, orders.channel_keys, orders.since)
    new = {name: source.labels for name, source in orders.configuration.sources.items()}
    rerun = Rerun(orders.since, Relabel(orders.relabelled, new))
    for answer in rerun.take(_lines(fed)):
        answers.write(encode(answer) + b"\n")
    answers.flush()


def _build() -> None:
    """All tables, as the models have them."""
    with connection.schema_editor() as editor:
        for model in apps.get_models():
            if model._meta.managed and not model._meta.proxy:
                editor.create_model(model)


def _lines(fed: Iterable[bytes]) -> Iterator[Fed]:
    for line in fed:
        if not line.endswith(b"\n"):
            break
        read = read_fed(line)
        yield read
        if isinstance(read, End):
            return
    raise EOFError
