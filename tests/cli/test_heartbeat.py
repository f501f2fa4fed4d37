"""Heartbeats by command, and a Healthchecks account that moves."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tocsin.alerts.events import Beat
from tocsin.alerts.intake.beside import Told
from tocsin.core import clock
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat

pytestmark = pytest.mark.django_db

UUIDS: Final = ("31365bce-8da9-4729-8ff3-aaa71d56b712", "803f680d-e89b-492b-82ef-2be7b774a92d")
CHECKS: Final[list[dict[str, Any]]] = [
    {
        "name": "Filesystem Backup", "slug": "filesystem-backup", "tags": "backup env=prod", "grace": 600,
        "status": "up", "timeout": 3_600, "ping_url": f"https://hc-ping.com/{UUIDS[0]}",
    },
    {
        "name": "Database Backup", "slug": "", "tags": "", "grace": 1_200, "status": "paused",
        "ping_url": f"https://hc-ping.com/{UUIDS[1].upper()}", "schedule": "15 5 * * *", "tz": "Europe/Riga",
    },
    {"name": "Read only", "slug": "read-only", "unique_key": "a6c7b0a8a66bed0df66abfdab3c77736861703ee"},
    {
        "name": "By calendar", "schedule": "Mon *-*-* 10:00", "tz": "UTC", "grace": 60,
        "ping_url": "https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278",
    },
]  # fmt: skip


def saved(folder: Path, checks: Any) -> str:
    file = folder / "checks.json"
    file.write_bytes(msgspec.json.encode({"checks": checks}))
    return str(file)


def test_made_listed_paused_resumed_and_removed() -> None:
    assert "There is no heartbeat yet" in tocsin("heartbeat", "list")
    told = tocsin(
        "heartbeat", "create", "nightly-backup", "--cron", "10 3 * * *", "--timezone", "Europe/Berlin",
        "--grace", "5m", "--label", "team=db", "--label", "severity=warning",
    )  # fmt: skip
    made = Heartbeat.objects.get()
    assert heartbeats.ping_url(made) in told
    assert (made.cron, made.timezone, made.grace) == ("10 3 * * *", "Europe/Berlin", 300)
    assert made.labels == {"team": "db", "severity": "warning"}
    listed = tocsin("heartbeat", "list")
    for shown in ("nightly-backup", "new", "At 03:10 every day, Europe/Berlin", heartbeats.ping_url(made)):
        assert shown in listed
    assert "is paused" in tocsin("heartbeat", "pause", "nightly-backup")
    assert tocsin_json("heartbeat", "list")["heartbeats"][0]["state"] == "paused"
    assert tocsin_json("heartbeat", "resume", "nightly-backup") == {
        "name": "nightly-backup", "done": "expected again"
    }  # fmt: skip
    assert "is removed" in tocsin("heartbeat", "remove", "nightly-backup")
    assert not Heartbeat.objects.exists()


def test_made_with_the_url_a_job_has() -> None:
    made = tocsin_json("heartbeat", "create", "x", "--uuid", UUIDS[0], "--period", "1h")["created"]
    assert made["ping_url"].endswith(f"/ping/{UUIDS[0]}")
    assert (made["schedule"], made["grace"]) == ("every 1 h", 3_600)


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "x", "--period", "soon"), ("create", "x", "--cron", "nonsense"),
        ("create", "x", "--period", "1h", "--cron", "* * * * *"), ("create", "x", "--label", "team"),
        ("create", "x", "--cron", "* * * * *", "--timezone", "Mars"), ("create", "x", "--uuid", "?"),
        ("pause", "nobody"), ("resume", "nobody"), ("remove", "nobody"), ("import", "/nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        tocsin("heartbeat", *arguments)
    assert not Heartbeat.objects.exists()


def test_an_account_moves_with_its_urls(tmp_path: Path) -> None:
    told = tocsin("heartbeat", "import", saved(tmp_path, CHECKS))
    assert "✓ Filesystem Backup as filesystem-backup every 1 h" in told
    assert "✓ Database Backup At 05:15 every day, Europe/Riga" in told
    assert "✗ Read only: its ping URL is missing" in told
    assert "✗ By calendar: 'Mon *-*-* 10:00' is no cron line" in told
    assert "2 of 4 checks were taken over" in told
    first, second = Heartbeat.objects.order_by("pk")
    assert (first.name, first.token, first.grace) == ("filesystem-backup", UUIDS[0], 600)
    assert first.labels == {"env": "prod", "tags": "backup"}
    assert (second.name, second.token, second.state) == ("Database Backup", UUIDS[1], "paused")


def test_moving_twice_changes_and_doubles_nothing(tmp_path: Path) -> None:
    told = Told("healthchecks", "", "trace", clock.now(), trusted=True)
    heartbeats.take([Beat(token=UUIDS[0])], told)
    assert Heartbeat.objects.get().name == "heartbeat-31365bce", "its job came before the list did"
    for _ in range(2):
        tocsin("heartbeat", "import", saved(tmp_path, CHECKS[:2]))
    assert sorted(Heartbeat.objects.values_list("name", flat=True)) == [
        "Database Backup",
        "filesystem-backup",
    ]
    assert Heartbeat.objects.get(name="filesystem-backup").expected_at is not None


def test_checks_of_one_name_are_all_taken(tmp_path: Path) -> None:
    twins = [{**CHECKS[0], "ping_url": f"https://hc-ping.com/{uuid}"} for uuid in UUIDS]
    twins.append({**CHECKS[0], "ping_url": "https://x.example/ping/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"})
    tocsin("heartbeat", "import", saved(tmp_path, twins))
    names = list(Heartbeat.objects.order_by("pk").values_list("name", flat=True))
    assert names == ["filesystem-backup", "Filesystem Backup", "filesystem-backup-5bf66975"]


@pytest.mark.parametrize("content", [b"nonsense", b"{}", b"1", b'{"checks": {}}'])
def test_a_file_that_holds_no_checks_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "wrong.json"
    file.write_bytes(content)
    with pytest.raises(CommandError):
        tocsin("heartbeat", "import", str(file))


def test_strange_checks_cost_the_others_nothing(tmp_path: Path) -> None:
    strange: list[Any] = [
        None,
        1,
        [],
        {},
        {"name": 5, "ping_url": []},
        {**CHECKS[0], "timeout": "x", "grace": {}},
    ]
    told = tocsin_json("heartbeat", "import", saved(tmp_path, [*strange, CHECKS[1]]))["checks"]
    assert [bool(moved.get("reason")) for moved in told] == [True] * 5 + [False] * 2
