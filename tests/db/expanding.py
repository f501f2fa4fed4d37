"""What a migration may do while processes of the release before go on: docs/decisions tells why."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.db import migrations
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from tocsin.db.indexes import AddIndexBeside

OURS: Final = {app.label for app in apps.get_app_configs() if app.name.startswith("tocsin.")}
CHANGELOG: Final = Path(__file__).parents[2] / "CHANGELOG.md"
# Tables that grow with what comes in: to index one takes long.
GROWING: Final = {
    ("alerts", "alert"), ("alerts", "alerthistory"), ("alerts", "incident"), ("alerts", "parkedpayload"),
    ("checkers", "checkrun"), ("fleet", "event"), ("intelligence", "analysisrun"), ("notify", "delivery"),
    ("orchestration", "pipelinerun"), ("orchestration", "stageexecution"),
}  # fmt: skip
_HARMLESS: Final = (
    migrations.CreateModel, migrations.RemoveIndex, migrations.RenameIndex, migrations.AlterModelOptions,
    migrations.AlterModelManagers, migrations.AlterModelTableComment,
)  # fmt: skip
_UNREADABLE: Final = (migrations.RunPython, migrations.RunSQL)
_JUDGED: Final = (
    "the release before would trip over it: do it in two releases and say unused_since in the second, "
    "or say safe_because"
)
Model = tuple[str, str]


def later_than(released: dict[str, str], loader: MigrationLoader) -> list[Migration]:
    """The migrations of our apps that the release does not have, in order."""
    graph = loader.graph
    known = {node for leaf in released.items() for node in graph.forwards_plan(leaf)}
    ours = [node for node in graph.leaf_nodes() if graph.nodes[node].__module__.startswith("tocsin.")]
    plan = dict.fromkeys(node for leaf in sorted(ours) for node in graph.forwards_plan(leaf))
    return [
        graph.nodes[node]
        for node in plan
        if node not in known and graph.nodes[node].__module__[:6] == "tocsin"
    ]


def complaints(later: list[Migration], state: ProjectState) -> Iterator[str]:
    """What is wrong with these, which follow on the release's state."""
    there = set(state.models)
    for migration in later:
        for operation in migration.operations:
            for complaint in _complaints(operation, migration, state, there):
                yield f"{migration.app_label}.{migration.name}: {operation.describe()}: {complaint}"
            operation.state_forwards(migration.app_label, state)


def _complaints(
    operation: Operation, migration: Migration, state: ProjectState, there: set[Model]
) -> Iterator[str]:
    app, since = migration.app_label, getattr(migration, "unused_since", None)
    if since is not None and since not in releases():
        yield f"unused_since is {since!r}, which is no release of the changelog"
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from _complaints(inner, migration, state, there)
        for inner in operation.state_operations:
            yield from _about_forgetting(inner, app, state)
    elif since is None and not getattr(migration, "safe_because", ""):
        model = app, _model_of(operation)
        if isinstance(operation, _UNREADABLE):
            yield "nobody can read from it that it is safe beside the release before: say safe_because"
        elif model in there:
            yield from _about_table(operation, migration, model, state)


def _model_of(operation: Operation) -> str:
    named = (getattr(operation, name, "") for name in ("model_name", "old_name", "name"))
    return next(filter(None, named), "").lower()


def _about_forgetting(operation: Operation, app: str, state: ProjectState) -> Iterator[str]:
    """The first half of a removal: the column stays, and this release's rows come without it."""
    if isinstance(operation, migrations.RemoveField):
        field = state.models[app, operation.model_name_lower].fields[operation.name]
        if not _may_be_left_out(field):
            yield "rows that this release makes would lack it: make it null or give it a db_default first"


def _about_table(
    operation: Operation, migration: Migration, model: Model, state: ProjectState
) -> Iterator[str]:
    if isinstance(operation, migrations.AddField):
        yield from _about_column(operation.field, model)
    elif isinstance(operation, migrations.AlterField):
        before = state.models[model].fields[operation.name]
        if not _holds_all_of(operation.field, before):
            yield _JUDGED
    elif isinstance(operation, migrations.AddIndex):
        yield from _about_index(operation, migration, model)
    elif not isinstance(operation, _HARMLESS):
        yield _JUDGED


def _about_column(field: Any, model: Model) -> Iterator[str]:
    if field.many_to_many:
        return
    if not _may_be_left_out(field):
        yield "the release before makes rows without it: give it null=True or a db_default"
    elif field.unique and not field.null:
        yield "the release before makes rows that are alike in it: unique goes with null=True alone"
    if model in GROWING and (field.db_index or field.remote_field):
        yield "to index or check it holds up writers: no index, no constraint; an AddIndexBeside of its own"


def _about_index(operation: migrations.AddIndex, migration: Migration, model: Model) -> Iterator[str]:
    if model in GROWING and not isinstance(operation, AddIndexBeside):
        yield "it holds up writers while it is made: use AddIndexBeside (tocsin/db/indexes.py)"
    elif isinstance(operation, AddIndexBeside) and (migration.atomic or len(migration.operations) > 1):
        yield "it needs a migration of its own that says atomic = False"


def _may_be_left_out(field: Any) -> bool:
    return bool(field.null or field.has_db_default() or field.many_to_many)


def _holds_all_of(new: Any, old: Any) -> bool:
    """Whether a column as it becomes takes all that it took, and reads the same."""
    if new.get_internal_type() != old.get_internal_type() or (old.null and not new.null):
        return False
    if old.max_length is not None and (new.max_length is None or new.max_length < old.max_length):
        return False
    if old.has_db_default() and not new.has_db_default():
        return False
    kept = ("unique", "db_index", "primary_key", "db_column", "db_collation")
    return all(getattr(new, name, None) == getattr(old, name, None) for name in kept)


def releases() -> list[str]:
    """Those of the changelog, the newest first."""
    return re.findall(r"^## (\d[\w.]*)", CHANGELOG.read_text(), re.M)
