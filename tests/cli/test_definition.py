"""Definitions by command: kept in files, applied, checked, shown and run; and approvals."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.program import tocsin as program
from tests.world import World
from tocsin.alerts.models import Alert, Incident
from tocsin.core import clock
from tocsin.notify.models import Delivery
from tocsin.orchestration import definitions
from tocsin.orchestration.models import PipelineDefinition, PipelineRun, StageExecution

ALERT: Final = {"name": "DiskFull", "severity": "critical", "labels": {"instance": "db-1"}}
SECRET: Final = "s3cr3t-that-nobody-may-see"
TELL: Final = {"id": "tell", "type": "notify"}
ASK: Final = {"id": "ask", "type": "approval", "next": "tell", "config": {"question": "Restart it?"}}


def wanted(name: str = "mine", *nodes: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {"name": name, "definition": {"version": "1.0", "nodes": list(nodes) or [TELL]}, **told}


def written(folder: Path, *documents: Any) -> str:
    file = folder / "definitions.json"
    file.write_text(json.dumps(documents[0] if len(documents) == 1 else documents))
    return str(file)


def steps(path: str, *more: str) -> list[tuple[Any, ...]]:
    told = tocsin_json("definition", "apply", path, *more)["steps"]
    return [(step["kind"], step["name"], *step["changes"]) for step in told]


def test_a_file_is_applied_and_applied_again(world: World, tmp_path: Path) -> None:
    path = written(tmp_path, wanted("a"), wanted("b", priority=5, matchers=["team=web"], enabled=False))
    assert steps(path, "--dry-run") == [("add", "a"), ("add", "b")]
    assert not PipelineDefinition.objects.filter(name="a").exists()
    assert steps(path) == [("add", "a"), ("add", "b")]
    before = definitions.named("b")
    assert steps(path) == [("keep", "a"), ("keep", "b")]
    after = definitions.named("b")
    assert (after.version, after.updated_at) == (1, before.updated_at)
    said = tocsin("definition", "apply", path)
    assert said == "0 were added, 0 changed; 2 are as the file says.\n"


def test_a_file_changes_what_differs_and_leaves_the_others(world: World, tmp_path: Path) -> None:
    tocsin("definition", "apply", written(tmp_path, wanted("a"), wanted("b")))
    path = written(tmp_path, wanted("a", ASK, TELL, priority=7))
    said = tocsin("definition", "apply", path, "--dry-run")
    assert said == "~ a definition, priority\n0 would be added, 1 changed; 0 are as the file says.\n"
    assert steps(path) == [("change", "a", "definition", "priority")]
    assert definitions.named("a").version == 2
    assert definitions.named("b").version == 1
    assert steps(written(tmp_path, wanted("a", ASK, TELL))) == [("change", "a", "priority")]
    assert definitions.named("a").version == 2


def test_listed_shown_and_removed(world: World, tmp_path: Path) -> None:
    assert "There is no definition" in tocsin("definition", "list")
    ask = {"id": "call", "type": "http", "next": "tell", "on_failure": "tell",
           "config": {"url": "https://x.example/", "headers": {"Authorization": SECRET}}}  # fmt: skip
    path = written(tmp_path, wanted("shop", ask, TELL, matchers=["team=web"], description="The shop's own"))
    tocsin("definition", "apply", path)
    listed = tocsin("definition", "list")
    for shown in ("shop", "100", "on", "team=web", "call tell"):
        assert shown in listed
    told = tocsin("definition", "show", "shop")
    for shown in ("shop version 1", "The shop's own", "→ tell", "on failure tell", "••••••", "Versions"):
        assert shown in told
    found = tocsin_json("definition", "show", "shop")
    assert SECRET not in told + json.dumps(found) + json.dumps(tocsin_json("definition", "list"))
    assert found["versions"][0]["number"] == 1
    assert steps(written(tmp_path, found)) == [("keep", "shop")], "what is shown can be given back"
    assert tocsin_json("definition", "remove", "shop") == {"removed": "shop"}
    for action in ("show", "remove"):
        with pytest.raises(CommandError, match="there is no definition 'shop'; known: none"):
            tocsin("definition", action, "shop")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "definitions.json: "),
        ([5], "a definition is an object"),
        ({"name": "a"}, "a: object missing required field `definition`"),
        (wanted(colour=1), "mine: object contains unknown field `colour`"),
        (wanted(priority="1"), "mine: priority: expected `int`"),
        (wanted(priority=-1), "mine: priority: it must be"),
        (wanted(matchers=["x"]), "mine: matchers: "),
        (wanted(" a"), "name: it must be"),
        (wanted("a/b"), "name: it must be without a slash"),
        ([wanted(), wanted()], "there are several definitions named 'mine'"),
        ([wanted("a"), wanted("b", {"id": "x", "type": "nonsense"})], "b: node x: type: "),
        (wanted("a", {**TELL, "next": "nobody"}), "a: node tell: next: there is no node 'nobody'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_and_nothing_of_it_is_done(
    db: None, tmp_path: Path, document: Any, said: str
) -> None:
    path = tmp_path / "definitions.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    before = PipelineDefinition.objects.count()
    with pytest.raises(CommandError) as error:
        tocsin("definition", "apply", str(path))
    assert said in str(error.value)
    assert PipelineDefinition.objects.count() == before


def test_validate_tells_all_of_it(db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin_json("definition", "validate", written(tmp_path, wanted())) == {
        "valid": True,
        "problems": [],
    }
    assert "✓" in tocsin("definition", "validate", written(tmp_path, wanted()))
    wrong = [
        wanted("a", {**TELL, "next": "x"}, {"id": "b", "type": "c"}, priority=-1),
        wanted("b", {"id": "t", "type": "transform", "config": {"templates": {"x": "{{"}}}),
    ]
    done = program(
        "definition", "validate", written(tmp_path, *wrong), "--json", data_dir=_migrated(tmp_path)
    )
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [(each["definition"], each["node"], each["field"]) for each in found["problems"]] == [
        ("a", "", "priority"), ("a", "tell", "next"), ("a", "b", "type"), ("b", "t", "config.templates.x"),
    ]  # fmt: skip
    assert not found["valid"] and not found["problems"][3]["message"].startswith("Value error")


def _migrated(folder: Path) -> Path:
    data = folder / "data"
    data.mkdir()
    assert program("migrate", "-v0", data_dir=data).returncode == 0
    return data


def test_run_about_a_payload_and_about_an_incident(world: World, tmp_path: Path) -> None:
    world.channel("hook")
    tocsin("definition", "apply", written(tmp_path, wanted(matchers=["team=nobody"])))
    payload = tmp_path / "alert.json"
    payload.write_text(json.dumps(ALERT))
    found = tocsin_json("definition", "run", "mine", "--payload", str(payload))
    assert (found["driver"], found["alerts"], found["finished"]) == ("generic", 1, True)
    [run] = found["story"]["runs"]
    assert (run["definition"], run["state"]) == ("mine", "NOTIFIED")
    told = tocsin("definition", "run", "mine", "--incident", str(world.incident().pk))
    assert "manual: NOTIFIED" in told and "mine, version 1" in told and "✓ tell" in told
    assert len(world.sent) == 2
    with pytest.raises(CommandError, match="there is no incident 4711"):
        tocsin("definition", "run", "mine", "--incident", "4711")
    with pytest.raises(CommandError, match="cannot read /nowhere"):
        tocsin("definition", "run", "mine", "--payload", "/nowhere")


def test_a_dry_run_shows_each_node_and_does_nothing(world: World, tmp_path: Path) -> None:
    world.channel("hook")
    call = {"id": "call", "type": "http", "next": "look", "config": {"url": f"{world.receiver.url}?a"}}
    look = {"id": "look", "type": "check", "next": "tell", "config": {"checker": "cpu"}}
    tocsin("definition", "apply", written(tmp_path, wanted("mine", call, look, TELL)))
    payload = tmp_path / "alert.json"
    payload.write_text(json.dumps(ALERT))
    for told in (
        tocsin("definition", "run", "mine", "--payload", str(payload), "--dry-run"),
        tocsin("run_pipeline", "--definition", "mine", "--file", str(payload), "--dry-run"),
    ):
        assert f"would ask GET {world.receiver.url}?a" in told and "would check cpu" in told
        assert "Would tell hook." in told
    assert not any(kind.objects.exists() for kind in (Alert, Incident, PipelineRun, Delivery))
    assert not world.receiver.received


def test_run_pipeline_by_a_definition(world: World, tmp_path: Path) -> None:
    tocsin("definition", "apply", written(tmp_path, wanted(matchers=["team=nobody"])))
    found = tocsin_json("run_pipeline", "--sample", "--definition", "mine")
    assert [run["definition"] for run in found["story"]["runs"]] == ["mine"]
    with pytest.raises(CommandError, match="there is no definition 'none'; known: mine"):
        tocsin("run_pipeline", "--sample", "--definition", "none")
    assert Alert.objects.count() == 1


@pytest.mark.parametrize(("answer", "said"), [("--yes", "yes"), ("--no", "no")])
def test_approvals(world: World, tmp_path: Path, answer: str, said: str) -> None:
    world.channel("hook")
    tocsin("definition", "apply", written(tmp_path, wanted("mine", ASK, TELL)))
    begun = tocsin_json("run_pipeline", "--payload", json.dumps(ALERT))
    [run] = begun["story"]["runs"]
    assert (begun["finished"], run["state"]) == (False, "WAITING")
    asks = f"? Restart it? → tocsin approve {run['run_id']} ask --yes, or --no"
    for told in (tocsin("trace", run["run_id"]), tocsin("monitor_pipeline")):
        assert asks in told and "waits until" in told and "mine" in told
    with pytest.raises(CommandError, match="asks at ask: name one of them"):
        tocsin("approve", run["run_id"], "tell", answer)
    assert f"said {said} to: Restart it?" in tocsin("approve", run["run_id"], answer)
    with pytest.raises(CommandError, match="asks nothing just now"):
        tocsin("approve", run["run_id"], answer)
    assert asks not in tocsin("monitor_pipeline")
    world.now = clock.now()
    world.work()
    told = tocsin("trace", run["run_id"])
    assert told.count("(approval)") == 1 and f"said {said}" in told, "a pause that is over is not told twice"
    assert len(world.sent) == (said == "yes")
    assert StageExecution.objects.filter(stage="ask", exit="otherwise").exists() == (said == "no")


def test_no_such_run(db: None) -> None:
    with pytest.raises(CommandError, match="there is no run 'x'"):
        tocsin("approve", "x", "--yes")


def test_a_run_of_its_own_trace_is_found_by_it(world: World) -> None:
    world.fire()
    world.work()
    definitions.put(name="mine", document=wanted()["definition"], now=world.now)
    found = tocsin_json("definition", "run", "mine", "--incident", str(world.incident().pk))
    told = tocsin_json("trace", found["trace_id"])
    assert (told["about"], [run["reason"] for run in told["runs"]]) == ("trace", ["manual"])


def test_a_new_installation_has_the_four_stages_to_see_and_change(tmp_path: Path) -> None:
    assert program("migrate", "--verbosity", "0", data_dir=tmp_path).returncode == 0
    listed = program("definition", "list", "--json", data_dir=tmp_path)
    [default] = json.loads(listed.stdout)["definitions"]
    assert (default["name"], default["priority"], default["enabled"]) == ("default", 1000, True)
