"""Pipelines as data: which one an incident's runs walk, and what becomes of branches, pauses and failures."""

from typing import Any

import pytest

from tests.world import World
from tocsin.core.errors import Rejected
from tocsin.orchestration import definitions, engine, services
from tocsin.orchestration.models import PipelineRun, PipelineVersion, StageExecution


def define(world: World, *nodes: dict[str, Any], name: str = "mine", **told: Any) -> None:
    document = {"version": "1.0", "nodes": list(nodes)}
    definitions.put(name=name, document=document, now=world.now, **told)


def node(name: str, kind: str, following: str | list[str] = "", **rest: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, **({"next": following} if following else {}), **rest}


def run() -> PipelineRun:
    return PipelineRun.objects.get()


def stages() -> list[tuple[str, str]]:
    rows = StageExecution.objects.order_by("pk").values_list("stage", "state")
    return [(stage, state) for stage, state in rows]


def outputs() -> dict[str, Any]:
    return dict(StageExecution.objects.exclude(exit="").values_list("stage", "output"))


NOTIFY = node("tell", "notify")


def test_the_first_definition_that_matches_is_walked(world: World) -> None:
    world.channel()
    define(world, NOTIFY, name="all", priority=20)
    define(world, node("note", "ingest"), name="quiet", priority=10, matching=['severity="info"'])
    define(world, node("off", "ingest"), name="off", priority=1, enabled=False)
    world.fire(severity="critical")
    world.work()
    assert (stages(), run().state) == ([("tell", "succeeded")], PipelineRun.NOTIFIED)
    PipelineRun.objects.all().delete()
    world.fire("Other", severity="info")
    world.work()
    assert (stages(), run().state) == ([("note", "succeeded")], PipelineRun.COMPLETED)
    assert run().version is not None and str(run().version) == "quiet 1"


def test_matchers_look_at_what_all_changed_alerts_share(world: World) -> None:
    define(world, node("shop", "ingest"), matching=["job=shop", "severity=critical"])
    for disk in ("sda", "sdb"):
        labels = {"instance": "web-1", "disk": disk, "job": "shop"}
        world.fire(severity="critical", labels=labels)
    world.work()
    assert stages() == [("shop", "succeeded")]
    for job in ("shop", "bakery"):
        world.fire("Other", severity="critical", labels={"instance": "web-1", "job": job})
    world.work()
    assert stages()[1:] != [("shop", "succeeded")], "one of the two is another's"


def test_without_one_the_four_stages_are_walked(world: World) -> None:
    define(world, NOTIFY, matching=['alertname="Other"'])
    world.fire()
    world.work()
    assert [stage for stage, _ in stages()] == ["INGEST", "CHECK", "ANALYZE", "NOTIFY"]


def test_a_run_keeps_the_version_it_began_with(world: World) -> None:
    define(world, node("pause", "wait", "tell", config={"seconds": 60}), NOTIFY)
    world.channel()
    world.fire()
    world.work()
    define(world, node("new", "ingest"))
    world.forward(minutes=1)
    world.work()
    assert [stage for stage, _ in stages()] == ["pause", "pause", "tell"]
    world.fire("Other")
    world.work()
    assert stages()[-1] == ("new", "succeeded")


def test_a_document_that_is_the_same_is_no_new_version(world: World) -> None:
    for priority in (1, 2):
        define(world, NOTIFY, priority=priority)
    found = definitions.named("mine")
    assert (found.version, found.priority, found.versions.count()) == (1, 2, 1)


def test_conditions_look_at_what_came_before(world: World) -> None:
    world.channel()
    define(
        world,
        node("look", "transform", "bad", config={
            "expressions": {"who": "alerts[0].labels.team"},
            "templates": {"text": "{{ incident.title }} is {{ incident.severity|upper }}"},
        }),
        node("bad", "condition", "tell", otherwise="rest", config={"expression": "nodes.look.who == 'sre'"}),
        NOTIFY, node("rest", "ingest"),
    )  # fmt: skip
    world.fire(severity="critical", labels={"instance": "web-1", "team": "sre"})
    world.work()
    assert outputs()["look"] == {"who": "sre", "text": "HighCPU on web-1 is CRITICAL"}
    assert [stage for stage, _ in stages()] == ["look", "bad", "tell"]
    world.fire("Other", labels={"instance": "web-2", "team": "dev"})
    world.work()
    assert [stage for stage, _ in stages()][3:] == ["look", "bad", "rest"]


def test_labels_out_of_a_table_reach_matchers_and_messages(world: World) -> None:
    world.channel()
    define(
        world,
        node("owner", "enrich", "mine", config={"label": "instance", "table": {"web-1": {"team": "sre"}}}),
        node("mine", "condition", "tell", config={"matchers": ["team=sre"]}),
        NOTIFY,
    )  # fmt: skip
    world.fire()
    world.fire(instance="web-2")
    world.work()
    assert [sent["labels"]["team"] for sent in world.sent] == ["sre"]


def test_notify_tells_the_channels_it_names(world: World) -> None:
    world.channel("a")
    world.channel("b")
    define(world, node("one", "notify", "none", config={"channels": ["b"]}),
           node("none", "notify", config={"driver": "slack"}))  # fmt: skip
    world.fire()
    world.work()
    assert [sent["channel"] for sent in outputs()["one"]["deliveries"]] == ["b"]
    assert outputs()["none"]["reason"] == "there is no enabled channel of driver slack"


def test_two_nodes_may_tell_the_same_channel(world: World) -> None:
    world.channel()
    define(world, node("first", "notify", "then"), node("then", "notify"))
    world.fire()
    world.work()
    assert (world.kinds(), run().state) == (["firing", "firing"], PipelineRun.NOTIFIED)


def test_a_pause_is_kept_and_an_incident_that_is_over_ends_it(world: World) -> None:
    world.channel()
    define(world, node("pause", "wait", "tell", config={"seconds": 300, "while_open": True}), NOTIFY)
    world.fire()
    world.work()
    assert (run().state, stages()) == (PipelineRun.WAITING, [("pause", "waiting")])
    world.forward(minutes=4)
    world.work()
    assert run().state == PipelineRun.WAITING
    world.forward(minutes=1)
    world.work()
    assert (run().state, world.kinds()) == (PipelineRun.NOTIFIED, ["firing"])

    PipelineRun.objects.all().delete()
    world.fire("Other")
    world.work()
    world.resolve("Other")
    world.work()
    world.forward(minutes=6)
    world.work()
    assert world.kinds() == ["firing"], "what is over is not told of late"


def test_an_approval_waits_for_a_person(world: World) -> None:
    world.channel()
    ask = node("ask", "approval", "tell", otherwise="no", config={"question": "Restart?", "seconds": 600})
    define(world, ask, NOTIFY, node("no", "ingest"))
    world.fire()
    world.work()
    assert run().state == PipelineRun.WAITING
    for wrong in ("tell", "nonsense"):
        with pytest.raises(Rejected):
            services.approve(run_id=run().run_id, node=wrong, approved=True, actor="ann", now=world.now)
    services.approve(run_id=run().run_id, node="ask", approved=True, actor="ann", now=world.now)
    with pytest.raises(Rejected, match="ann has answered already"):
        services.approve(run_id=run().run_id, node="ask", approved=False, actor="bob", now=world.now)
    world.work()
    assert (run().state, outputs()["ask"]["by"]) == (PipelineRun.NOTIFIED, "ann")

    PipelineRun.objects.all().delete()
    world.fire("Other")
    world.work()
    world.forward(minutes=11)
    world.work()
    assert outputs()["ask"]["reason"] == "nobody answered in time"
    assert stages()[-1] == ("no", "succeeded")


def test_a_request_is_made_beside_the_turns_and_its_answer_used(world: World) -> None:
    world.channel()
    config = {
        "url": world.receiver.url + "?name={{ incident.labels.instance|urlencode }}", "method": "POST",
        "headers": {"Content-Type": "application/json"}, "body": '{"title": {{ incident.title|tojson }}}',
    }  # fmt: skip
    define(
        world,
        node("ask", "http", "good", config=config),
        node("good", "condition", "tell", config={"expression": "nodes.ask.status == `200`"}),
        NOTIFY,
    )
    world.fire()
    world.work()
    asked, told = world.receiver.received
    assert asked.json == {"title": "HighCPU on web-1"} and asked.path.endswith("?name=web-1")
    assert asked.headers["idempotency-key"] == f"{run().run_id}:ask"
    assert told.json["kind"] == "firing"
    assert (run().state, run().lease, run().due_at) == (PipelineRun.NOTIFIED, "", None)


def test_a_check_is_made_for_the_run(world: World) -> None:
    define(world, node("disk", "check", "bad", config={"checker": "disk", "options": {"paths": ["/"]}}),
           node("bad", "condition", config={"expression": "nodes.disk.status == 'nonsense'"}))  # fmt: skip
    world.fire()
    world.work()
    assert outputs()["disk"]["checks"]["disk"]["status"] in ("ok", "warning", "critical")
    assert (outputs()["bad"], run().state) == ({"result": False}, PipelineRun.COMPLETED)


def test_what_fails_is_tried_again_and_then_resumed_where_it_was(world: World) -> None:
    world.channel()
    define(
        world,
        node("first", "ingest", "fails"),
        node("fails", "transform", "tell", config={"templates": {"x": "{{ nodes.nowhere.y }}"}}),
        NOTIFY,
    )  # fmt: skip
    world.fire()
    world.work()
    assert run().state == PipelineRun.RETRYING
    for _ in range(3):
        world.forward(minutes=2)
        world.work()
    assert (run().state, run().due_at) == (PipelineRun.FAILED, None)
    assert "nowhere" in run().last_error
    assert stages() == [("first", "succeeded"), *[("fails", "failed")] * 3]
    engine.resume(run_id=run().run_id, now=world.now)
    world.work()
    assert stages()[4:] == [("fails", "failed")], "the first is not done again"


def test_a_failure_may_lead_elsewhere(world: World) -> None:
    world.channel()
    define(
        world,
        node("ask", "http", "never", on_failure="tell", retry={"tries": 1}, config={"url": "http://127.0.0.1:1/"}),
        node("never", "ingest"),
        NOTIFY,
    )  # fmt: skip
    world.fire()
    world.work()
    assert stages() == [("ask", "failed"), ("tell", "succeeded")]
    assert "cannot connect" in outputs()["ask"]["error"]
    assert run().state == PipelineRun.NOTIFIED


def test_a_branch_that_fails_lets_the_other_end(world: World) -> None:
    world.channel()
    define(
        world,
        node("a", "ingest", ["fails", "tell"]),
        node("fails", "transform", "end", config={"templates": {"x": "{{ nowhere }}"}}, retry={"tries": 2}),
        node("tell", "notify", "end"),
        node("end", "ingest"),
    )  # fmt: skip
    world.fire()
    world.work()
    assert (run().state, world.kinds()) == (PipelineRun.RETRYING, ["firing"])
    world.forward(minutes=1)
    world.work()
    assert (run().state, world.kinds()) == (PipelineRun.FAILED, ["firing"])


def test_a_run_by_hand_walks_the_definition_it_names(world: World) -> None:
    world.fire()
    world.work()
    define(world, node("only", "ingest"), matching=['alertname="Other"'])
    begun = services.begin(incident_id=world.incident().pk, definition="mine", now=world.now)
    world.work()
    begun.refresh_from_db()
    assert (begun.state, begun.reason) == (PipelineRun.COMPLETED, "manual")
    assert begun.stages.get().output["alerts"][0]["name"] == "HighCPU"


def test_a_definition_that_runs_walk_is_not_removed(world: World) -> None:
    define(world, node("pause", "wait", config={"seconds": 60}))
    world.fire()
    world.work()
    with pytest.raises(Rejected, match="runs are walking mine"):
        definitions.remove(name="mine")
    world.forward(minutes=1)
    world.work()
    definitions.remove(name="mine")
    assert run().version is None


def test_a_definition_that_cannot_be_walked_any_more_costs_nobody_else(world: World) -> None:
    """As when the plug-in of a node was taken away."""
    world.channel()
    define(world, node("pause", "wait", "tell", config={"seconds": 60}), NOTIFY, name="broken", priority=1)
    world.fire()
    world.work()
    broken = {"version": "1.0", "nodes": [{"id": "gone", "type": "taken-away"}]}
    PipelineVersion.objects.update(document=broken)
    definitions._graph.cache_clear()
    world.fire("Other")
    world.work()
    assert world.kinds() == ["firing"], "told by the built-in stages"
    world.forward(minutes=1)
    world.work()
    begun = PipelineRun.objects.earliest("run_id")
    assert (begun.state, begun.due_at, begun.lease) == (PipelineRun.WAITING, world.now, "")
    assert "left to other workers" in begun.last_error and "taken-away" in begun.last_error
    assert begun.attempts == 0, "to leave it is no try"
    world.forward(minutes=14)
    begun.refresh_from_db()
    assert begun.state == PipelineRun.WAITING, "a newer worker may still come"
    world.forward(minutes=1)
    begun.refresh_from_db()
    assert (begun.state, begun.due_at, begun.lease) == (PipelineRun.FAILED, None, "")
    assert "taken-away" in begun.last_error
    engine.resume(run_id=begun.run_id, now=world.now)
    world.forward(minutes=15)
    begun.refresh_from_db()
    assert begun.state == PipelineRun.FAILED


def test_a_worker_that_knows_its_nodes_walks_what_another_left(world: World) -> None:
    world.channel()
    define(world, node("pause", "wait", "tell", config={"seconds": 60}), NOTIFY)
    world.fire()
    world.work()
    sound = PipelineVersion.objects.get().document
    PipelineVersion.objects.update(document={"version": "1.0", "nodes": [{"id": "new", "type": "newer"}]})
    definitions._graph.cache_clear()
    world.forward(minutes=1)
    assert "left to other workers" in run().last_error and world.sent == []
    PipelineVersion.objects.update(document=sound)
    engine._beyond_us.clear()  # as in another process
    world.work()
    assert (run().state, run().last_error, world.kinds()) == (PipelineRun.NOTIFIED, "", ["firing"])
