"""``/tocsin …``: short answers to the one who asks alone."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.chat.workspace import Workspace
from tocsin.accounts.models import ChatIdentity
from tocsin.alerts.models import Alert
from tocsin.chat import slash
from tocsin.fleet import logs
from tocsin.fleet.logs.line import LEVELS, Asked, Line
from tocsin.fleet.models import Instance


def asked(workspace: Workspace, text: str, by: str = "anna") -> str:
    before = len(workspace.slack.said)
    answer = workspace.command(text, by)
    assert (answer.status_code, answer.content) == (200, b"")
    return workspace.said(before + 1)[-1]


def test_each_word_is_answered(workspace: Workspace) -> None:
    workspace.member("anna")
    for word in slash.QUESTIONS:
        assert asked(workspace, word)
    for text in (
        "",
        "  ",
        "HELP",
        "help me",
        "nonsense",
        "<!here>",
        "\0",
        "x" * 5000,
        "` OR 1=1",
        "alerts \0",
    ):
        assert asked(workspace, text)
    assert all(f"/tocsin {word}" in asked(workspace, "help") for word in slash.QUESTIONS)
    assert "There is no `nonsense` here" in asked(workspace, "nonsense")
    assert "<!here>" not in asked(workspace, "<!here>")


def test_alerts_the_worst_first(workspace: Workspace) -> None:
    assert asked(workspace, "alerts") == "*Alerts*\nNothing fires."
    for name, level in (("Slow", "warning"), ("<!here> Down", "critical"), ("Note", "info")):
        workspace.world.fire(name, severity=level)
    workspace.world.fire("Gone")
    workspace.world.resolve("Gone")
    workspace.world.work()
    lines = asked(workspace, "alerts").splitlines()[1:]
    assert [line.split("*")[1] for line in lines] == ["&lt;!here&gt; Down", "Slow", "Note"]
    incident = Alert.objects.get(name="Slow").incident
    assert incident is not None
    assert f"/incidents/{incident.pk}/|#{incident.pk}> open" in lines[1]
    assert [line.split("*")[1] for line in asked(workspace, "alerts slow").splitlines()[1:]] == ["Slow"]
    assert "*Slow* on web-1" in asked(workspace, "alerts web-1")
    for nothing in ("alerts <!here", "alerts %", "alerts ' OR 1=1 --"):
        assert asked(workspace, nothing)
    assert "Nothing fires that has “%_”" in asked(workspace, "alerts %_")


def test_many_alerts_are_cut_and_fit(workspace: Workspace) -> None:
    for number in range(20):
        workspace.world.fire(f"{'&<>' * 80}{number}", instance="<" * 200)
    workspace.world.work()
    said = asked(workspace, "alerts")
    assert said.count("incidents/") == 15 and "… and more" in said


def test_health_and_fleet(workspace: Workspace) -> None:
    assert "Nothing is watched here yet" in asked(workspace, "health")
    assert "No machine pushes here yet" in asked(workspace, "fleet")
    now = workspace.world.now
    for name, state, status in (("web-1", "up", "ok"), ("<!here>", "silent", "ok")):
        Instance.objects.create(
            instance_id=name, hostname=name, state=state, status=status, address="192.0.2.1", version="1.0",
            first_seen_at=now, last_seen_at=now,
        )  # fmt: skip
    workspace.world.fire("ZigbeeOffline", labels={"module": "lamps", "device": "hall"}, severity="critical")
    workspace.world.work()
    health = asked(workspace, "health")
    for part in ("⚫ *agents*: 1 of 2 heard from", "⚫ &lt;!here&gt; silent", "*lamps*", "hall"):
        assert part in health
    fleet = asked(workspace, "fleet")
    assert fleet.index("&lt;!here&gt;* silent") < fleet.index("*web-1* ok, heard of")


def test_nobody_is_on_call_yet(workspace: Workspace) -> None:
    assert "no schedule is set up" in asked(workspace, "oncall")


def test_log_lines_are_for_people_who_are_known(workspace: Workspace) -> None:
    told = workspace.command("logs", by="eve").json()
    assert told["response_type"] == "ephemeral" and "Link my account" in str(told)
    workspace.member("off", is_active=False)
    assert "switched off" in str(workspace.command("logs", by="off").json())
    assert not workspace.slack.said and ChatIdentity.objects.count() == 1


def test_logs_by_level_trace_and_module(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.member("anna")
    line = Line(
        workspace.world.now, "error", "tocsin.notify.sending", "delivery.failed", "trace-1", {"x": "<!here>"}
    )
    other = Line(workspace.world.now, "info", "tocsin.alerts", "worker.started", "", {})
    monkeypatch.setattr(logs, "read", lambda wanted: [one for one in (line, other) if wanted.wants(one)])
    assert Asked().wants(line) and "error" in LEVELS
    for text in ("logs error", "logs ERROR", "logs trace-1", "logs tocsin.notify"):
        said = asked(workspace, text)
        assert "delivery.failed" in said and "worker.started" not in said
        assert "&lt;!here&gt;" in said
    assert "worker.started" in asked(workspace, "logs")
    assert "no line of debug" in asked(workspace, "logs debug")


def test_a_log_that_cannot_be_read_is_said(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.member("anna")
    monkeypatch.setenv("TOCSIN_LOGS", "nonsense")
    assert "The log cannot be read" in asked(workspace, "logs")


@pytest.mark.parametrize("given", [{}, {"text": "help"}, {"user_id": ""}])
def test_a_command_of_nobody_is_refused_or_harmless(given: dict[str, Any], workspace: Workspace) -> None:
    answer = workspace.post("commands", urlencode(given).encode() or b"a=1")
    assert answer.status_code in (200, 400)
    assert not workspace.slack.said
