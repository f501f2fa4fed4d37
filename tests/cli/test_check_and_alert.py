"""What checkers find becomes alerts, and what is well again ends them."""

import socket

import pytest

from tests.cli.run import tocsin, tocsin_json
from tests.cli.told import Told
from tests.cli.told import told as told
from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.checkers.models import CheckRun
from tocsin.checkers.services import ALONE
from tocsin.orchestration.models import PipelineRun


def test_the_whole_story(world: World, told: Told) -> None:
    world.channel("hook")
    assert tocsin_json("check_and_alert", "told")["changes"] == 0
    assert not Alert.objects.exists() and not AlertHistory.objects.exists()

    told.becomes("warning")
    found = tocsin_json("check_and_alert", "told")
    assert (found["changes"], found["finished"], found["incidents"]) == (1, True, True)
    assert [sent["state"] for sent in found["story"]["deliveries"]] == ["sent"]
    alert = Alert.objects.get()
    assert (alert.fingerprint, alert.name) == (f"told-{socket.gethostname()}", "ToldUnhealthy")
    assert (alert.severity, alert.source) == ("warning", "checkers")
    assert alert.annotations == {"message": "it is warning", "metrics": '{"level":1.0}'}
    assert world.sent[0]["title"] == "ToldUnhealthy on web-1"

    assert tocsin_json("check_and_alert", "told")["changes"] == 0, "it is known already"
    told.becomes("critical")
    assert tocsin_json("check_and_alert", "told")["changes"] == 1
    told.becomes("ok")
    said = tocsin("check_and_alert", "told")
    assert "Taken in: 1 change" in said and "resolved to hook (webhook): sent" in said
    assert [sent["kind"] for sent in world.sent] == ["firing", "firing", "resolved"]
    assert [sent["severity"] for sent in world.sent][:2] == ["warning", "critical"]
    assert Incident.objects.get().status == "resolved"
    runs = CheckRun.objects.filter(checker="told").order_by("pk")
    assert [run.status for run in runs] == ["ok", "warning", "warning", "critical", "ok"]
    assert runs[4].trace_id == AlertHistory.objects.latest("pk").trace_id


def test_what_cannot_be_found_out_is_a_warning(world: World, told: Told) -> None:
    told.becomes("unknown")
    tocsin("check_and_alert", "told")
    assert (Alert.objects.get().status, Alert.objects.get().severity) == ("firing", "warning")


def test_a_dry_run_stores_and_sends_nothing(world: World, told: Told) -> None:
    world.channel("hook")
    told.becomes("critical")
    found = tocsin_json("check_and_alert", "told", "--dry-run")
    assert found["dry_run"] is True
    assert [(alert["name"], alert["change"]) for alert in found["alerts"]] == [("ToldUnhealthy", "fired")]
    assert [run["channels"] for run in found["runs"]] == [["hook"]]
    said = tocsin("check_and_alert", "told", "--dry-run")
    assert "Nothing is stored or sent" in said and "it would tell" in said and "hook" in said
    told.becomes("ok")
    assert "No alert would fire or end." in tocsin("check_and_alert", "told", "--dry-run")
    assert not Alert.objects.exists() and not CheckRun.objects.exists() and not world.sent


def test_without_incidents(world: World, told: Told) -> None:
    world.channel("hook")
    told.becomes("critical")
    found = tocsin_json("check_and_alert", "told", "--no-incidents")
    assert (found["changes"], found["incidents"]) == (1, False)
    assert ALONE in tocsin("trace", found["trace_id"])
    world.work()  # a worker beside it finds nothing to decide
    assert Alert.objects.get().status == "firing"
    assert CheckRun.objects.count() == 1
    assert not Incident.objects.exists() and not PipelineRun.objects.exists() and not world.sent
    told.becomes("ok")
    tocsin("check_and_alert", "told")
    assert Alert.objects.get().status == "resolved"
    assert not Incident.objects.exists() and not world.sent


def test_those_that_settings_skip(world: World, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.becomes("critical")
    monkeypatch.setenv("CHECKERS_SKIP", "told")
    assert tocsin_json("check_and_alert", "told")["checked"]["skipped"] == ["told"]
    assert not Alert.objects.exists()
    monkeypatch.setenv("CHECKERS_SKIP_ALL", "1")
    assert "All checkers are skipped" in tocsin("check_and_alert")
    assert tocsin_json("check_and_alert", "told", "--include-skipped")["changes"] == 1


def test_all_that_need_no_options(world: World) -> None:
    found = tocsin_json("check_and_alert", "--no-incidents")
    names = [check["checker"] for check in found["checked"]["checks"]]
    assert {"cpu", "memory", "disk"} <= set(names)
    assert CheckRun.objects.count() == len(names)
