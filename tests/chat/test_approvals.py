"""A pipeline that waits for a person asks where people are, and Slack's buttons answer it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.chat.workspace import Workspace
from tocsin.core import clock
from tocsin.notify import routes
from tocsin.notify.drivers.slack.card import APPROVE, REFUSE
from tocsin.notify.models import Delivery, NotificationChannel, Thread
from tocsin.orchestration import definitions, services
from tocsin.orchestration.models import PipelineRun, StageExecution


def node(id: str, type: str, next: str = "", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": type, **({"next": next} if next else {}), **more}


ASK = node("ask", "approval", "yes", otherwise="no", config={"question": "Restart <shop>?", "seconds": 600})
ENDS = (node("yes", "ingest"), node("no", "ingest"))


def define(workspace: Workspace, *nodes: dict[str, Any]) -> None:
    document = {"version": "1.0", "nodes": [*nodes]}
    definitions.put(name="asks", document=document, now=workspace.world.now)


@pytest.fixture
def waiting(workspace: Workspace) -> PipelineRun:
    """A run that has told people and now asks."""
    workspace.world.now = clock.now()
    workspace.member("anna")
    define(workspace, node("tell", "notify", "ask"), ASK, *ENDS)
    workspace.world.fire()
    workspace.world.work()
    workspace.world.forward(seconds=5)
    return PipelineRun.objects.get()


def blocks(workspace: Workspace) -> list[dict[str, Any]]:
    """Of the one card in the channel."""
    [head] = workspace.slack.heads.values()
    found: list[dict[str, Any]] = head["attachments"][0]["blocks"]
    return found


def answers(workspace: Workspace) -> dict[str, str]:
    """The buttons of the question on the card, with their values."""
    elements = [element for block in blocks(workspace) for element in block.get("elements", [])]
    return {e["action_id"]: e["value"] for e in elements if e.get("action_id") in (APPROVE, REFUSE)}


def replies(workspace: Workspace) -> list[dict[str, Any]]:
    return [reply for those in workspace.slack.replies.values() for reply in those]


def left(run: PipelineRun) -> tuple[str, dict[str, Any]]:
    last = StageExecution.objects.filter(run=run, stage="ask").order_by("pk").last()
    assert last is not None
    return last.exit, last.output


def test_the_card_asks_and_the_channel_hears_of_it(workspace: Workspace, waiting: PipelineRun) -> None:
    assert waiting.state == PipelineRun.WAITING
    assert answers(workspace) == {APPROVE: f"{waiting.pk}:ask", REFUSE: f"{waiting.pk}:ask"}
    assert "*Restart &lt;shop&gt;?*" in str(blocks(workspace))
    [asked] = replies(workspace)
    assert asked["reply_broadcast"] is True and f"/runs/{waiting.pk}/" in str(asked)
    assert asked["text"] == "[QUESTION] HighCPU on web-1: Restart &lt;shop&gt;?"


@pytest.mark.parametrize(("action", "said", "exit"), [(APPROVE, "yes", "next"), (REFUSE, "no", "otherwise")])
def test_a_button_answers(
    action: str, said: str, exit: str, workspace: Workspace, waiting: PipelineRun
) -> None:
    workspace.press(action, answers(workspace)[action])
    assert workspace.said() == [f"You said {said}"]
    workspace.world.forward(seconds=5)
    way, output = left(waiting)
    assert (way, output["by"], output["approved"]) == (exit, "anna", said == "yes")
    assert answers(workspace) == {}
    assert f"*Restart &lt;shop&gt;?*\nanna said {said}." in str(blocks(workspace)).replace("\\n", "\n")
    assert replies(workspace)[-1]["text"].startswith("[ANSWERED]")


def test_who_answers_second_is_told_who_was_first(workspace: Workspace, waiting: PipelineRun) -> None:
    workspace.member("bob")
    value = answers(workspace)[APPROVE]
    workspace.press(APPROVE, value)
    workspace.said(1)
    workspace.press(REFUSE, value, by="bob")
    workspace.said(2)
    workspace.world.forward(seconds=5)
    workspace.press(REFUSE, value, by="bob")
    told = workspace.said(3)
    assert told[1] == "Anna has answered already"
    assert "does not ask for an approval" in told[2]
    assert left(waiting)[1]["approved"] is True


def test_an_answer_given_elsewhere_shows(workspace: Workspace, waiting: PipelineRun) -> None:
    services.approve(run_id=waiting.pk, node="ask", approved=False, actor="cleo", now=workspace.world.now)
    workspace.world.forward(seconds=5)
    assert answers(workspace) == {} and "cleo said no." in str(blocks(workspace))


def test_time_runs_out(workspace: Workspace, waiting: PipelineRun) -> None:
    workspace.world.forward(minutes=11)
    workspace.world.forward(seconds=5)
    assert left(waiting)[0] == "otherwise"
    assert answers(workspace) == {} and "Nobody answered in time." in str(blocks(workspace))


def test_later_news_leaves_the_question_where_it_is(workspace: Workspace, waiting: PipelineRun) -> None:
    services.acknowledge(incident_id=workspace.world.incident().pk, actor="anna", now=workspace.world.now)
    workspace.world.forward(seconds=5)
    assert "anna is on it" in str(blocks(workspace))
    assert answers(workspace), "it is still to be answered"
    workspace.world.resolve()
    workspace.world.forward(seconds=30)
    assert answers(workspace), "the run waits, whatever becomes of the incident"


def test_who_is_not_known_answers_nothing(workspace: Workspace, waiting: PipelineRun) -> None:
    workspace.press(APPROVE, answers(workspace)[APPROVE], by="eve")
    assert "does not know yet" in workspace.said()[0]
    assert "approved" not in left(waiting)[1]


def test_a_question_comes_before_anybody_is_told(workspace: Workspace) -> None:
    """It brings the incident's card with it."""
    define(workspace, ASK, node("yes", "notify"), node("no", "ingest"))
    workspace.world.fire()
    workspace.world.work()
    assert answers(workspace).keys() == {APPROVE, REFUSE}
    assert "*HighCPU* on web-1" in str(blocks(workspace))
    run = PipelineRun.objects.get()
    services.approve(run_id=run.pk, node="ask", approved=True, actor="anna", now=workspace.world.now)
    workspace.world.forward(seconds=10)
    workspace.world.forward(seconds=10)
    assert "anna said yes." in str(blocks(workspace))
    assert Thread.objects.count() == 1
    assert set(Delivery.objects.values_list("state", flat=True)) <= {"sent", "folded"}


def test_a_storm_does_not_swallow_a_question(workspace: Workspace) -> None:
    NotificationChannel.objects.update(per_minute=1, digest_above=2)
    define(workspace, node("tell", "notify", "ask"), ASK, *ENDS)
    for number in range(5):
        workspace.world.fire(instance=f"web-{number}")
    workspace.world.work()
    for _ in range(12):
        workspace.world.forward(minutes=1)
    asked = Delivery.objects.filter(kind="question", stage="ask")
    assert asked.count() == 5
    assert set(asked.values_list("state", flat=True)) == {"sent"}


def test_channels_without_buttons_get_a_link(workspace: Workspace) -> None:
    workspace.world.channel("hook")
    NotificationChannel.objects.filter(name="slack").delete()
    workspace.world.channel("plain", "slack", **workspace.slack.config)
    define(workspace, node("tell", "notify", "ask"), ASK, *ENDS)
    workspace.world.fire()
    workspace.world.work()
    workspace.world.forward(seconds=5)
    assert answers(workspace) == {}
    assert f"/runs/{PipelineRun.objects.get().pk}/|Answer in Tocsin>" in str(blocks(workspace))
    assert workspace.world.kinds() == ["firing"], "who can answer nothing is not asked"


def test_nobody_is_asked_where_nothing_is_sent(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SKIP_ALL", "1")
    define(workspace, ASK, *ENDS)
    workspace.world.fire()
    workspace.world.work()
    run = PipelineRun.objects.get()
    assert (run.state, Delivery.objects.count()) == (PipelineRun.WAITING, 0)
    services.approve(run_id=run.pk, node="ask", approved=True, actor="a", now=workspace.world.now)
    workspace.world.forward(seconds=1)
    assert left(run)[0] == "next" and not Delivery.objects.exists()


def test_routes_say_which_slack_channels_are_asked(workspace: Workspace) -> None:
    workspace.world.channel("hook")
    tree = {"route": {"channels": ["hook"]}}
    routes.put(given=tree, made_by="ann", now=workspace.world.now)
    define(workspace, ASK, *ENDS)
    workspace.world.fire()
    workspace.world.work()
    assert not Delivery.objects.exists()
    assert PipelineRun.objects.get().due_at == workspace.world.now + timedelta(seconds=600)
