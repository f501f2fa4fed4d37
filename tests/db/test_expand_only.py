"""Processes of the release before go on while the database is migrated: migrations only add to it."""

from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from tests.db import expanding
from tocsin.db.fields import JsonText
from tocsin.db.indexes import AddIndexBeside

# The newest release, and the last migration of each app in it. Before the first one is out all are free.
RELEASE = ""
RELEASED: dict[str, str] = {}
LOADER = MigrationLoader(None)
TODAY = {app: name for app, name in LOADER.graph.leaf_nodes() if app in expanding.OURS}
INDEX = models.Index(fields=["kind"], name="of_kind")
UNIQUE = models.UniqueConstraint(fields=["kind"], name="one_kind")
ALIKE = models.CharField(max_length=16, unique=True, db_default="")
PLAIN = models.CharField(max_length=16)


def test_the_newest_release_is_what_we_compare_with() -> None:
    newest = next(iter(expanding.releases()), "")
    assert newest == RELEASE, f"put the last migrations of {newest} into RELEASED: {TODAY}"


def test_migrations_since_the_release_only_add() -> None:
    released = RELEASED or TODAY
    later = expanding.later_than(released, LOADER)
    found = list(expanding.complaints(later, LOADER.project_state(list(released.items()))))
    assert not found, "\n".join(["processes of the release before would trip over these:", *found])


def test_what_grows_is_there() -> None:
    assert set(LOADER.project_state().models) >= expanding.GROWING


def _complaints(*operations: Any, **marks: Any) -> list[str]:
    kind = type("Migration", (Migration,), {"operations": list(operations), **marks})
    state = LOADER.project_state(list(TODAY.items()))
    return list(expanding.complaints([kind("0009_next", "notify")], state))


@pytest.mark.parametrize("operation", [
    migrations.CreateModel("Pigeon", [("id", models.BigAutoField(primary_key=True)), ("loft", PLAIN)]),
    migrations.AddField("delivery", "note", models.TextField(null=True)),
    migrations.AddField("delivery", "note", models.CharField(max_length=16, default="", db_default="")),
    migrations.AddField("delivery", "notes", JsonText(default=list, db_default="[]")),
    migrations.AddIndex("notificationchannel", models.Index(fields=["driver"], name="of_driver")),
    migrations.AlterField("delivery", "kind", models.CharField(max_length=32)),
    migrations.AlterField("delivery", "kind", models.CharField(max_length=16, null=True, help_text="New.")),
    migrations.RemoveIndex("delivery", "delivery_due"),
])  # fmt: skip
def test_what_adds_is_fine(operation: Any) -> None:
    assert _complaints(operation) == []


@pytest.mark.parametrize(("operation", "said"), [
    (migrations.AddField("delivery", "note", PLAIN), "makes rows without it"),
    (migrations.AddField("delivery", "note", models.TextField(default="")), "makes rows without it"),
    (migrations.AddField("notificationchannel", "slug", ALIKE), "alike in it"),
    (migrations.AddField("delivery", "n", models.TextField(null=True, db_index=True)), "holds up writers"),
    (migrations.AddIndex("delivery", INDEX), "use AddIndexBeside"),
    (AddIndexBeside("delivery", INDEX), "atomic = False"),
    (migrations.AlterField("delivery", "kind", models.CharField(max_length=8)), "two releases"),
    (migrations.AlterField("delivery", "kind", models.IntegerField()), "two releases"),
    (migrations.AlterField("delivery", "kind", models.CharField(max_length=16, unique=True)), "two releases"),
    (migrations.RemoveField("delivery", "kind"), "two releases"),
    (migrations.RenameField("delivery", "kind", "sort"), "two releases"),
    (migrations.DeleteModel("Delivery"), "two releases"),
    (migrations.RenameModel("Delivery", "Parcel"), "two releases"),
    (migrations.AlterModelTable("Delivery", "parcels"), "two releases"),
    (migrations.AddConstraint("delivery", UNIQUE), "two releases"),
    (migrations.RemoveConstraint("delivery", "one_delivery"), "two releases"),
    (migrations.RunPython(migrations.RunPython.noop), "say safe_because"),
    (migrations.RunSQL("SELECT 1"), "say safe_because"),
    (migrations.SeparateDatabaseAndState([migrations.RemoveField("delivery", "kind")]), "two releases"),
    (migrations.SeparateDatabaseAndState([], [migrations.RemoveField("delivery", "kind")]), "db_default"),
])  # fmt: skip
def test_what_does_not_is_told(operation: Any, said: str) -> None:
    [found] = _complaints(operation)
    assert found.startswith("notify.0009_next: ") and said in found


def test_a_table_that_the_release_does_not_have_is_free() -> None:
    made = migrations.CreateModel("Pigeon", [("id", models.BigAutoField(primary_key=True))])
    assert _complaints(made, migrations.AddField("pigeon", "loft", PLAIN)) == []
    assert _complaints(made, migrations.DeleteModel("Pigeon")) == []


def test_only_what_is_later_is_looked_at() -> None:
    before = TODAY | {"checkers": "0001_initial"}
    later = [migration.name for migration in expanding.later_than(before, LOADER)]
    assert later[0] == "0002_monitors"
    assert list(expanding.complaints([], LOADER.project_state(list(before.items())))) == []


def test_an_index_beside_stands_alone() -> None:
    assert _complaints(AddIndexBeside("delivery", INDEX), atomic=False) == []


def test_the_second_half_of_a_removal_says_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = migrations.RemoveField("delivery", "kind")
    monkeypatch.setattr(expanding, "releases", lambda: ["0.1.0"])
    assert _complaints(gone, unused_since="0.1.0") == []
    [found] = _complaints(gone, unused_since="0.2.0")
    assert "no release" in found


def test_what_cannot_be_read_says_why_it_is_safe() -> None:
    assert _complaints(migrations.RunSQL("SELECT 1"), safe_because="It reads.") == []
