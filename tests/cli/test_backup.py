"""Backups by command, on installations of their own: what is saved starts again elsewhere."""

import gzip
import os
import shutil
import sqlite3
import stat
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests import program
from tests.backups import Load, repacked
from tests.processes import Tocsin
from tocsin.core import presence

URL = "https://hooks.example.com/s3cr3t"
PIPELINE = """{"name": "ask", "definition": {"nodes": [{"id": "ask", "type": "http",
    "config": {"url": "https://x.example", "headers": {"Authorization": "s3cr3t-of-a-node"}}}]}}"""
_CHANNELS = (
    "from tocsin.notify.models import NotificationChannel\n"
    "print(*(row.config['url'] for row in NotificationChannel.objects.all()))"
)


def done(*arguments: str, data_dir: Path, **environment: str) -> str:
    """What a command printed."""
    ran = program.tocsin(*arguments, data_dir=data_dir, **environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def refused(*arguments: str, data_dir: Path, **environment: str) -> str:
    """Why a command did not do it."""
    ran = program.tocsin(*arguments, data_dir=data_dir, **environment)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    return ran.stderr


def channels(data_dir: Path, **environment: str) -> str:
    """The channels' URLs, which are encrypted in the database."""
    ran = program.python(_CHANNELS, data_dir=data_dir, **environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def rename_channel(data_dir: Path, name: str) -> None:
    with closing(sqlite3.connect(data_dir / "tocsin.sqlite3")) as database, database:
        database.execute("UPDATE notify_notificationchannel SET name = ?", [name])


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with a channel, and a pipeline that has a secret."""
    folder = tmp_path_factory.mktemp("installation")
    done("prepare", data_dir=folder)
    (folder / "pipeline.json").write_text(PIPELINE)
    done("definition", "apply", str(folder / "pipeline.json"), data_dir=folder)
    (folder / "pipeline.json").unlink()
    done("channel", "add", "ops", "--driver", "webhook", "--set", f"url={URL}", data_dir=folder)
    return folder


@pytest.fixture(scope="module")
def saved(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its backup."""
    file = tmp_path_factory.mktemp("saved") / "backup.tar.gz"
    done("backup", str(file), data_dir=installation)
    return file


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Where nothing was installed yet."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture
def other(installation: Path, tmp_path: Path) -> Path:
    """An installation with a channel of another name, and keys of its own."""
    folder = tmp_path / "other"
    shutil.copytree(installation, folder)
    rename_channel(folder, "other")
    (folder / "secret-keys").write_text("its own key")
    return folder


def names(data_dir: Path) -> list[str]:
    with closing(sqlite3.connect(data_dir / "tocsin.sqlite3")) as database:
        return [row[0] for row in database.execute("SELECT name FROM notify_notificationchannel")]


def test_what_was_saved_starts_again_elsewhere(installation: Path, saved: Path, empty: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert "Restored what" in done("restore", str(saved), data_dir=empty)
    assert names(empty) == ["ops"]
    assert channels(empty) == URL, "with its keys"
    assert (empty / "secret-key").read_text() == (installation / "secret-key").read_text()
    assert stat.S_IMODE((empty / "tocsin.sqlite3").stat().st_mode) == 0o600
    left = {path.name for path in empty.iterdir()} - {"log"}
    assert left <= {"secret-key", "secret-keys", "running.lock", "tocsin.sqlite3", "tocsin.sqlite3-wal",
                    "tocsin.sqlite3-shm", "tocsin.sqlite3.line"}  # fmt: skip


def test_secrets_of_nodes_are_encrypted_in_it_and_come_back(saved: Path, empty: Path) -> None:
    assert b"s3cr3t-of-a-node" not in gzip.decompress(saved.read_bytes())
    done("restore", str(saved), data_dir=empty)
    (empty / "pipeline.json").write_text(PIPELINE)
    told = msgspec.json.decode(done("definition", "apply", "pipeline.json", "--json", data_dir=empty))
    assert [step["kind"] for step in told["steps"]] == ["keep"], "it is the same, secret and all"
    assert msgspec.json.decode(done("reencrypt", "--json", data_dir=empty))["lost"] == []


def test_it_is_named_by_the_time_and_told_to_programs(installation: Path) -> None:
    told = msgspec.json.decode(done("backup", "--json", data_dir=installation))
    file = installation / told["file"]
    assert datetime.strptime(told["file"], "tocsin-%Y-%m-%dT%H%M%SZ.tar.gz").replace(tzinfo=UTC)
    assert told["bytes"] == file.stat().st_size
    assert (told["database"], told["keys"], told["keys_elsewhere"]) == (
        "sqlite", ["secret-keys", "secret-key"], []
    )  # fmt: skip
    file.unlink()
    folder = installation / "nightly"
    folder.mkdir()
    done("backup", str(folder), data_dir=installation)
    assert [path.name[:9] for path in folder.iterdir()] == ["tocsin-20"]


def test_data_is_replaced_only_when_told(saved: Path, other: Path) -> None:
    assert "--force" in refused("restore", str(saved), data_dir=other)
    assert names(other) == ["other"]
    assert (other / "secret-keys").read_text() == "its own key"
    done("restore", "--force", str(saved), data_dir=other)
    assert names(other) == ["ops"]
    assert channels(other) == URL
    assert "its own key" not in (other / "secret-keys").read_text()


def test_a_write_ahead_log_of_what_was_there_is_not_read(saved: Path, other: Path) -> None:
    database = sqlite3.connect(other / "tocsin.sqlite3")
    database.execute("PRAGMA wal_autocheckpoint=0")
    database.execute("UPDATE notify_notificationchannel SET name = 'in the log'")
    database.commit()
    log = (other / "tocsin.sqlite3-wal").read_bytes()
    database.close()
    (other / "tocsin.sqlite3-wal").write_bytes(log)
    assert log
    done("restore", "--force", str(saved), data_dir=other)
    assert names(other) == ["ops"]


def test_a_database_that_somebody_has_open_stays(saved: Path, other: Path) -> None:
    with closing(sqlite3.connect(other / "tocsin.sqlite3")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM notify_notificationchannel").fetchall()
        assert "is in use" in refused("restore", "--force", str(saved), data_dir=other)
        assert names(other) == ["other"]
        assert (other / "secret-keys").read_text() == "its own key"


def test_a_broken_database_can_be_replaced(saved: Path, other: Path) -> None:
    (other / "tocsin.sqlite3").write_bytes(b"not a database" * 1_000)
    assert "--force" in refused("restore", str(saved), data_dir=other)
    done("restore", "--force", str(saved), data_dir=other)
    assert channels(other) == URL


def test_there_must_be_something_to_save(empty: Path) -> None:
    assert "nothing to back up" in refused("backup", "x.tar.gz", data_dir=empty)
    assert not (empty / "x.tar.gz").exists()


def test_a_place_that_is_not_there_is_told(installation: Path, empty: Path) -> None:
    assert "/nowhere" in refused("backup", "/nowhere/x.tar.gz", data_dir=installation)
    assert "nothing.tar.gz" in refused("restore", "nothing.tar.gz", data_dir=empty)


def test_keys_of_the_environment_stay_out_of_it(installation: Path, empty: Path) -> None:
    file = empty / "x.tar.gz"
    told = done("backup", str(file), data_dir=installation, TOCSIN_SECRET_KEYS="from elsewhere")
    assert "TOCSIN_SECRET_KEYS is set" in told
    content = gzip.decompress(file.read_bytes())
    assert b"from elsewhere" not in content
    assert (installation / "secret-keys").read_bytes() not in content
    told = done("restore", str(file), data_dir=empty)
    assert "TOCSIN_SECRET_KEYS must be what it was" in told


# What is refused leaves all as it was.


def _garbage(file: Path) -> None:
    (file.parent / "database.sqlite3").write_bytes(b"SQLite format 3\0" + bytes(10_000))
    repacked(file, database=file.parent / "database.sqlite3")


def _page_lost(file: Path) -> None:
    whole = repacked(file)["database.sqlite3"]
    content = bytearray(whole.read_bytes())
    content[40_960:45_056] = bytes(4_096)
    (file.parent / "database.sqlite3").write_bytes(content)
    repacked(file, database=file.parent / "database.sqlite3")


def _another_database(file: Path) -> None:
    path = file.parent / "database.sqlite3"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE songs (title)")
    repacked(file, database=path)


def _newer(file: Path) -> None:
    repacked(file, migrations=["oncall.0001_initial"], tocsin="9.1")


def _of_postgresql(file: Path) -> None:
    repacked(file, kind="postgresql")


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


_RESTORE = """
import sys
from pathlib import Path
from tocsin.core.errors import TocsinError
from tocsin.db import backup
for name in {!r}:
    try:
        backup.restore(Path(name), force=True)
    except TocsinError as error:
        print(type(error).__name__, error)
"""


def test_what_is_no_whole_backup_of_ours_is_refused(saved: Path, other: Path, tmp_path: Path) -> None:
    spoilt = {
        _garbage: "damaged", _page_lost: "damaged", _another_database: "damaged",
        _newer: "newer version, 9.1", _of_postgresql: "made on postgresql", _cut: "cut short",
    }  # fmt: skip
    files = [tmp_path / spoil.__name__ / "x.tar.gz" for spoil in spoilt]
    for spoil, file in zip(spoilt, files, strict=True):
        file.parent.mkdir()
        shutil.copy(saved, file)
        spoil(file)
    before = {path.name for path in other.iterdir()}
    ran = program.python(_RESTORE.format(list(map(str, files))), data_dir=other)
    said = ran.stdout.splitlines()
    assert len(said) == len(spoilt), ran.stderr
    for line, why in zip(said, spoilt.values(), strict=True):
        assert line.startswith("Rejected ") and why in line
    assert names(other) == ["other"]
    assert (other / "secret-keys").read_text() == "its own key"
    left = {path.name for path in other.iterdir()} - before
    assert left <= {"running.lock", "tocsin.sqlite3-wal", "tocsin.sqlite3-shm"}


def test_restore_waits_for_nobody_and_nobody_starts_meanwhile(
    saved: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(other))
    lock = presence.share()
    assert "Tocsin runs on" in refused("restore", "--force", str(saved), data_dir=other)
    os.close(lock)
    with presence.alone():
        for command in ("up", "web", "worker"):
            assert "is being restored" in refused(command, data_dir=other, MQTT_URL="")
    assert names(other) == ["other"]


def test_under_load(tmp_path: Path) -> None:
    """All that was acknowledged before a backup began is in it, whatever comes in meanwhile."""
    file, empty = tmp_path / "x.tar.gz", tmp_path / "empty"
    empty.mkdir()
    with Tocsin() as tocsin, Load(tocsin) as load:
        load.wait_for(300)
        before = load.acknowledged()
        tocsin.run("backup", str(file))
        load.wait_for(load.count + 50)
        with pytest.raises(AssertionError, match="Tocsin runs on"):
            tocsin.run("restore", "--force", str(file))
    done("restore", str(file), data_dir=empty)
    with closing(sqlite3.connect(empty / "tocsin.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        restored = {row[0] for row in database.execute("SELECT name FROM alerts_alert")}
        journal = {row[0] for row in database.execute(
            "SELECT a.name FROM alerts_alerthistory h JOIN alerts_alert a ON a.id = h.alert_id")}  # fmt: skip
    assert len(before) >= 300
    assert before <= restored
    assert restored == journal, "each with its entry, as of one moment"


def test_a_backup_is_what_tar_says_it_is(saved: Path) -> None:
    listed = subprocess.run(["tar", "tzf", str(saved)], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["manifest.json", "secret-keys", "secret-key", "database.sqlite3"]
