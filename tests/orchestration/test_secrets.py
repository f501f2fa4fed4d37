"""What nodes keep secret: sealed in the database, in clear for the work alone, dots for everybody."""

import importlib
from io import StringIO
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from tests.cli.run import tocsin, tocsin_json
from tests.world import World
from tocsin.core.secret_fields import MASK
from tocsin.db import bulk, sealed
from tocsin.db.sealed import is_sealed
from tocsin.orchestration import definitions, engine, services, setup
from tocsin.orchestration.definition import STAGES, Unsound
from tocsin.orchestration.models import PipelineDefinition, PipelineRun, PipelineVersion
from tocsin.orchestration.replay import configuration
from tocsin.orchestration.shown import opened, shown

SECRET: Final = "s3cr3t-that-nobody-may-see"
NEWER: Final = b"bmV3ZXIta2V5LW5ld2VyLWtleS1uZXdlci1rZXktMTI="


def asking(url: str, secret: str = SECRET, **rest: Any) -> dict[str, Any]:
    """A document with secrets in both places where a node may have them."""
    ask = {"id": "ask", "type": "http", "config": {"url": url, "headers": {"Authorization": secret}}, **rest}
    options = {"url": url, "token": secret}
    look = {"id": "look", "type": "check", "config": {"checker": "http", "options": options}}
    return {"version": "1.0", "nodes": [{**ask, "next": "look"}, look]}


def kept() -> str:
    """All that the columns hold."""
    tables = ("PipelineVersion", "document"), ("PipelineDefinition", "definition")
    found = (
        bulk.fetch(f"SELECT {column} FROM orchestration_{table.lower()}", []) for table, column in tables
    )
    return "".join(row[0] for rows in found for row in rows)


def on_disk() -> bytes:
    """SQLite's file and its log as they are."""
    file = str(connection.settings_dict["NAME"])
    return b"".join(Path(file + end).read_bytes() for end in ("", "-wal") if Path(file + end).exists())


def without_the_key(settings: Settings) -> None:
    settings.SECRET_KEYS = [NEWER]
    definitions._graph.cache_clear()


def define(world: World, document: dict[str, Any], **told: Any) -> PipelineDefinition:
    return definitions.put(name="mine", document=document, now=world.now, **told)


def test_they_are_in_no_file_and_the_work_has_them(world: World) -> None:
    define(world, asking(world.receiver.url))
    world.fire()
    world.work()
    assert [one.headers["authorization"] for one in world.receiver.received] == [SECRET, f"Bearer {SECRET}"]
    assert PipelineRun.objects.get().state == PipelineRun.COMPLETED
    assert world.receiver.url in kept() and SECRET not in kept()
    if connection.vendor == "sqlite":
        assert world.receiver.url.encode() in on_disk() and SECRET.encode() not in on_disk()


def test_all_but_they_can_be_read(world: World) -> None:
    document = asking("http://127.0.0.1/")
    found = define(world, document).definition
    headers, options = found["nodes"][0]["config"]["headers"], found["nodes"][1]["config"]["options"]
    assert is_sealed(headers["Authorization"]) and is_sealed(options["token"])
    headers["Authorization"] = options["token"] = SECRET
    assert found == document == opened(definitions.named("mine").definition)


def test_what_is_the_same_is_no_new_version_and_a_new_secret_is(world: World) -> None:
    define(world, asking("http://127.0.0.1/"))
    before = kept()
    define(world, asking("http://127.0.0.1/"))
    assert kept() == before
    asked = setup.Setup("mine", asking("http://127.0.0.1/", "another"))
    assert definitions.apply([asked], now=world.now)[0].changes == ["definition"]
    assert definitions.named("mine").version == 2
    dots = shown(definitions.named("mine").definition)
    define(world, dots)
    assert definitions.named("mine").version == 2, "dots stand for what is there"
    first = PipelineVersion.objects.get(number=1)
    assert definitions.bring_back(version=first, now=world.now).version == 3
    assert opened(definitions.named("mine").definition) == asking("http://127.0.0.1/")


@pytest.mark.parametrize("place", ["headers", "body", "url"])
def test_what_is_sealed_cannot_be_given_to_be_opened(world: World, place: str) -> None:
    stolen = define(world, asking("http://127.0.0.1/")).definition["nodes"][0]["config"]["headers"]
    config = {"url": "http://127.0.0.1/", place: stolen["Authorization"]}
    for given in ({"X": config}, config):
        document = {"nodes": [{"id": "steal", "type": "http", "config": given}]}
        with pytest.raises(Unsound) as refused:
            define(world, document)
        assert [(each.node, each.field) for each in refused.value.problems] == [("steal", "config")]
        assert "sealed value cannot be given" in str(refused.value)


def test_names_that_look_like_it_are_not_mistaken(world: World) -> None:
    headers = {"sealed": SECRET}
    document = {"nodes": [{"id": "a", "type": "http", "config": {"url": "http://x/", "headers": headers}},
                          {"id": "b", "type": "enrich", "config": {
                              "label": "job", "table": {"x": {"sealed": "yes"}}}}]}  # fmt: skip
    stored = define(world, document).definition
    assert SECRET not in kept()
    assert opened(stored) == document
    assert shown(stored)["nodes"][0]["config"]["headers"] == {"sealed": MASK}
    assert shown(stored)["nodes"][1] == document["nodes"][1]


def test_without_the_key_a_run_says_so_and_the_secret_can_be_given_anew(
    world: World, settings: Settings
) -> None:
    keys = settings.SECRET_KEYS
    pause = {"id": "pause", "type": "wait", "config": {"seconds": 60}, "next": "ask"}
    document = asking(world.receiver.url)
    define(world, {"nodes": [pause, *document["nodes"]]}, matching=["alertname=HighCPU"])
    world.fire()
    world.work()
    without_the_key(settings)
    world.forward(minutes=1)
    assert "left to other workers" in PipelineRun.objects.get().last_error, "one that has the key may take it"
    world.forward(seconds=engine.LEFT_TO_OTHERS.total_seconds())
    run = PipelineRun.objects.get()
    assert run.state == PipelineRun.FAILED
    assert "node ask: config: " in run.last_error and "TOCSIN_SECRET_KEYS lacks the key" in run.last_error

    with pytest.raises(Unsound) as wrong:
        definitions.check(name="mine")
    assert [(each.node, each.field) for each in wrong.value.problems] == [
        ("ask", "config"), ("look", "config")
    ]  # fmt: skip
    with pytest.raises(Unsound, match="TOCSIN_SECRET_KEYS"):
        services.begin(incident_id=world.incident().pk, definition="mine", now=world.now)
    assert MASK in tocsin("definition", "show", "mine", "--json"), "it is still shown"
    world.fire("Other")
    world.work()
    assert PipelineRun.objects.latest("pk").version is None, "all else goes on"
    with pytest.raises(Unsound, match="TOCSIN_SECRET_KEYS"):
        define(world, shown(definitions.named("mine").definition))
    assert define(world, document).version == 2

    settings.SECRET_KEYS = keys
    engine._beyond_us.clear()  # as it is after a restart
    services.resume(run_id=run.pk, now=world.now)
    world.work()
    run.refresh_from_db()
    assert run.state == PipelineRun.COMPLETED, "the key is back"


def test_a_change_of_keys(world: World, settings: Settings) -> None:
    world.channel()
    definitions.put(name="none", document=STAGES, enabled=False, now=world.now)
    define(world, asking(world.receiver.url))
    settings.SECRET_KEYS = [NEWER, *settings.SECRET_KEYS]
    assert tocsin_json("reencrypt") == {"rows": 3, "lost": []}
    without_the_key(settings)
    assert opened(definitions.named("mine").definition) == asking(world.receiver.url)
    world.fire()
    world.work()
    assert PipelineRun.objects.get().state == PipelineRun.COMPLETED


def test_what_cannot_be_encrypted_again_is_named(world: World, settings: Settings) -> None:
    world.channel("ops")
    define(world, asking(world.receiver.url))
    before = kept()
    without_the_key(settings)
    world.channel("new")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reencrypt", "--json", stdout=out)
    told = msgspec.json.decode(out.getvalue())
    assert (ended.value.code, told["rows"]) == (1, 1)
    assert set(told["lost"]) == {
        "notification channel ops", "pipeline definition mine", "pipeline version mine 1"
    }  # fmt: skip
    assert kept() == before


def test_what_stood_in_clear_is_sealed_by_the_migration(world: World) -> None:
    migration = importlib.import_module("tocsin.orchestration.migrations.0004_secrets_are_sealed")
    document = asking("http://127.0.0.1/")
    gone = {"id": "gone", "type": "gone", "config": {"any": {"thing": SECRET}}}
    found = define(world, document)
    document["nodes"].append(gone)
    found.versions.update(document=document)
    PipelineDefinition.objects.update(definition=document)
    assert kept().count(SECRET) == 6
    with connection.schema_editor() as editor:
        migration.seal(apps, editor)
    assert SECRET not in kept()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert SECRET.encode() not in on_disk()
    assert opened(definitions.named("mine").definition) == document
    assert SECRET not in msgspec.json.encode(shown(definitions.named("mine").definition)).decode()
    with connection.schema_editor() as editor:
        migration.unseal(apps, editor)
    assert kept().count(SECRET) == 6


def test_a_replay_has_dots_and_knows_a_sound_definition(world: World) -> None:
    found = define(world, asking("http://127.0.0.1/"))
    assert configuration._sound(found.definition) and configuration.only_with_secrets() == []
    (kept_there,) = configuration.present(world.now, world.now).definitions.values()
    assert kept_there.definition["nodes"][0]["config"]["headers"] == {"Authorization": MASK}


def test_deep_documents_are_told_of(world: World) -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(Unsound):
        define(world, {"nodes": [{"id": "a", "type": "transform", "config": {"templates": deep}}]})


def test_sealing_twice_gives_another_text() -> None:
    assert sealed.seal("x") != sealed.seal("x")
    assert sealed.opened([sealed.seal({"a": 1}), {"b": sealed.seal("x")}]) == [{"a": 1}, {"b": "x"}]
