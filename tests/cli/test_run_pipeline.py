"""An alert's whole way, in one command."""

import json
from pathlib import Path

import msgspec
import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.fakes.receiver import Receiver
from tests.program import tocsin as program
from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.notify.models import Delivery
from tocsin.orchestration.models import PipelineRun

ALERT = '{"name": "DiskFull", "severity": "critical", "labels": {"instance": "db-1"}, "message": "97 % used"}'


def test_the_sample_reaches_the_channel(world: World) -> None:
    world.channel("hook")
    found = tocsin_json("run_pipeline", "--sample")
    assert (found["driver"], found["alerts"], found["changes"], found["finished"]) == (
        "alertmanager",
        1,
        1,
        True,
    )
    (run,) = found["story"]["runs"]
    assert run["state"] == "NOTIFIED"
    assert [stage["stage"] for stage in run["stages"]] == ["INGEST", "CHECK", "ANALYZE", "NOTIFY"]
    (sent,) = found["story"]["deliveries"]
    assert (sent["channel"], sent["state"], sent["answer"]) == ("hook", "sent", "HTTP 200")
    assert world.sent[0]["trace_id"] == found["trace_id"]


def test_people_read_the_story(world: World) -> None:
    world.channel("hook")
    told = tocsin("run_pipeline", "--payload", ALERT)
    number = world.incident().pk
    assert "Taken in 1 alert by the generic driver" in told
    assert f"Incident #{number} DiskFull on db-1" in told
    assert f"→ opened incident #{number}: no live one has" in told
    assert "✓ NOTIFY" in told
    assert "firing to hook (webhook): sent" in told
    assert "→ the receiver said: HTTP 200" in told
    assert "\x1b" not in told
    assert told == "\n".join(line.rstrip() for line in told.split("\n"))


def test_a_file_and_standard_input(world: World, tmp_path: Path) -> None:
    (tmp_path / "alert.json").write_text(ALERT)
    found = tocsin_json("run_pipeline", "--file", str(tmp_path / "alert.json"), "--driver", "generic")
    assert found["changes"] == 1
    with pytest.raises(CommandError, match="cannot read /nowhere: No such file"):
        tocsin("run_pipeline", "--file", "/nowhere")


def test_what_is_known_already_tells_nothing_new(world: World) -> None:
    tocsin("run_pipeline", "--payload", ALERT)
    seen_at = Alert.objects.get().seen_at
    found = tocsin_json("run_pipeline", "--payload", ALERT)
    assert (found["changes"], found["story"]) == (0, None)
    assert Alert.objects.get().seen_at > seen_at
    assert "It told nothing new" in tocsin("run_pipeline", "--payload", ALERT)


def test_a_dead_channel_shows_why(world: World) -> None:
    world.channel("hook")
    world.receiver.default.status = 404
    told = tocsin("run_pipeline", "--payload", ALERT)
    assert "firing to hook (webhook): dead" in told
    assert "→ HTTP 404" in told


def test_a_failing_channel_is_tried_once_and_says_when_next(world: World) -> None:
    world.channel("hook")
    world.receiver.default.status = 503
    found = tocsin_json("run_pipeline", "--payload", ALERT)
    assert found["finished"]
    assert [(sent["state"], sent["attempts"]) for sent in found["story"]["deliveries"]] == [("retrying", 1)]
    assert len(world.receiver.received) == 1


def test_dry_run_shows_all_and_stores_nothing(world: World) -> None:
    world.channel("hook")
    told = tocsin("run_pipeline", "--payload", ALERT, "--dry-run")
    assert "Read by the generic driver" in told
    assert "DiskFull firing critical" in told
    assert "fired: opened incident #" in told
    assert "Run for a new incident: DiskFull on db-1" in told
    assert "Would tell hook." in told
    assert not any(kind.objects.exists() for kind in (Alert, AlertHistory, Incident, PipelineRun, Delivery))
    assert world.sent == []


def test_dry_run_knows_what_is_there(world: World) -> None:
    tocsin("run_pipeline", "--payload", ALERT)
    again = tocsin_json("run_pipeline", "--payload", ALERT, "--dry-run")
    assert again["dry_run"]
    assert (again["runs"], again["alerts"][0]["change"]) == ([], "")
    over = ALERT.replace('"name"', '"status": "resolved", "name"')
    found = tocsin_json("run_pipeline", "--payload", over, "--dry-run")
    assert [(alert["change"], alert["status"]) for alert in found["alerts"]] == [("resolved", "resolved")]
    assert [(run["reason"], run["new_incident"], run["channels"]) for run in found["runs"]] == [
        ("resolved", False, [])
    ]
    assert world.incident().status == Incident.OPEN


def test_good_alerts_pass_beside_bad_ones(world: World) -> None:
    mixed = f'[{ALERT}, {{"severity": "info"}}]'
    found = tocsin_json("run_pipeline", "--payload", mixed, "--driver", "generic", "--dry-run")
    assert [alert["name"] for alert in found["alerts"]] == ["DiskFull"]
    assert found["errors"][0]["index"] == 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("{", "not JSON"),
        ("{}", "no driver reads this payload"),
        ('{"name": "x", "labels": {"a\\u0000": "b"}}', "label name"),
    ],
)
def test_a_payload_nobody_can_read(payload: str, said: str, db: None) -> None:
    with pytest.raises(CommandError, match=said):
        tocsin("run_pipeline", "--payload", payload)


def test_an_unknown_driver_names_the_known(db: None) -> None:
    with pytest.raises(CommandError, match="there is no driver 'acme'; known: .*alertmanager"):
        tocsin("run_pipeline", "--sample", "--driver", "acme")


def test_checks_only(db: None) -> None:
    found = tocsin_json("run_pipeline", "--checks-only")
    assert [check["checker"] for check in found["checks"]] == ["cpu", "memory", "disk"]
    assert "GiB available" in tocsin("run_pipeline", "--checks-only")


def test_checks_that_are_skipped(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKERS_SKIP_ALL", "1")
    assert "All checkers are skipped" in tocsin("run_pipeline", "--checks-only")


def test_control_characters_do_not_reach_the_terminal(world: World) -> None:
    told = tocsin("run_pipeline", "--payload", json.dumps({"name": "\x1b]0;owned\x07[red]x"}))
    assert "\x1b" not in told and "\x07" not in told
    assert "[red]x" in told


def test_as_a_program(tmp_path: Path, receiver: Receiver) -> None:
    """The real command, its own database, a real receiver; JSON alone on stdout, errors in one line."""
    assert program("migrate", "-v0", data_dir=tmp_path).returncode == 0
    added = program(
        "channel", "add", "hook", "--driver", "webhook", "--set", f"url={receiver.url}", data_dir=tmp_path
    )
    assert added.returncode == 0, added.stderr
    done = program("run_pipeline", "--sample", "--json", data_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout)
    assert [sent["state"] for sent in found["story"]["deliveries"]] == ["sent"]
    assert receiver.received[0].json["title"].startswith("HighMemoryUsage on checkout-")

    piped = program("run_pipeline", "--file", "-", "--dry-run", "--json", data_dir=tmp_path, stdin=ALERT)
    assert msgspec.json.decode(piped.stdout)["driver"] == "generic"
    wrong = program("run_pipeline", "--payload", "{", data_dir=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("Failed: not JSON")


def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    done = program("run_pipeline", "--sample", data_dir=tmp_path)
    assert done.returncode == 1
    assert "run tocsin migrate" in done.stderr
    assert len(done.stderr.splitlines()) == 1
