"""Backups on real PostgreSQL and MariaDB, taken under load and put back."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import program
from tests.backups import Load, repacked
from tests.databases import mariadb, postgres
from tests.installed import require
from tests.processes import Tocsin

pytestmark = pytest.mark.real

_NAMES = (
    "from tocsin.alerts.models import AlertHistory\n"
    "from tocsin.notify.models import NotificationChannel\n"
    "print(*(row.config['url'] for row in NotificationChannel.objects.all()))\n"
    "print(*AlertHistory.objects.values_list('alert__name', flat=True))"
)
_SQL = "from django.db import connection\nfor sql in {!r}: connection.cursor().execute(sql)"
_ORPHAN = (
    "from tocsin.core import clock\n"
    "from tocsin.fleet.models import Ping\n"
    "Ping.objects.create(heartbeat_id=4711, at=clock.now(), signal='success')"
)
_TEXT = (
    "from tocsin.alerts.models import Alert\n"
    "print(ascii(Alert.objects.get(name='Odd').labels['text']), end='')"
)
ODD = "97 % of 100%;\n-- \\N \\. \t '; DROP TABLE alerts_alert; COPY x FROM stdin;\n\\.\n🔥 ü \\n"
URL = "https://hooks.example.com/s3cr3t"


@pytest.fixture(params=[postgres, mariadb])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    require("pg_dump" if request.param is postgres else "mariadb-dump")
    start: Callable[[bool], AbstractContextManager[str]] = request.param
    with start(False) as url:
        yield url


def run(*arguments: str, data_dir: Path, **environment: str) -> str:
    ran = program.tocsin(*arguments, data_dir=data_dir, **environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def refused(*arguments: str, data_dir: Path, **environment: str) -> str:
    ran = program.tocsin(*arguments, data_dir=data_dir, **environment)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    return ran.stderr


def found(data_dir: Path, url: str) -> tuple[str, set[str]]:
    """The channel's URL, decrypted, and the alerts of the journal."""
    ran = program.python(_NAMES, data_dir=data_dir, DATABASE_URL=url)
    assert ran.returncode == 0, ran.stderr
    first, _, second = ran.stdout.partition("\n")
    return first, set(second.split())


def execute(data_dir: Path, url: str, *statements: str) -> None:
    ran = program.python(_SQL.format(statements), data_dir=data_dir, DATABASE_URL=url)
    assert ran.returncode == 0, ran.stderr


def test_there_and_back(database: str, tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "x.tar.gz", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Tocsin(DATABASE_URL=database) as tocsin:
        tocsin.run("channel", "add", "ops", "--driver", "webhook", "--set", f"url={URL}")
        labels = {"instance": "Odd", "text": ODD}
        assert tocsin.post({"name": "Odd", "labels": labels}, "/alerts/webhook/generic/") == 202
        with Load(tocsin) as load:
            load.wait_for(200)
            before = load.acknowledged()
            tocsin.run("backup", str(file))
            load.wait_for(load.count + 20)
        assert "is in use by" in refused(
            "restore", "--force", str(file), data_dir=elsewhere, DATABASE_URL=database
        ), "from another machine"
        after = load.acknowledged()
    # A table of a later version, which refers to one of ours, must not stand in the way.
    execute(
        elsewhere,
        database,
        "CREATE TABLE later (id BIGINT PRIMARY KEY, alert_id BIGINT REFERENCES alerts_alert (id))",
        "DELETE FROM notify_delivery",
    )
    assert "--force" in refused("restore", str(file), data_dir=elsewhere, DATABASE_URL=database)
    run("restore", "--force", str(file), data_dir=elsewhere, DATABASE_URL=database)
    url, restored = found(elsewhere, database)
    assert url == URL, "with the keys of the other machine"
    assert before <= restored - {"Odd"} <= after
    assert len(restored) <= len(after), "as of the moment of the backup"
    ran = program.python(_TEXT, data_dir=elsewhere, DATABASE_URL=database)
    assert ran.stdout == ascii(ODD)
    execute(elsewhere, database, "CREATE TABLE later (id BIGINT)")  # it is gone
    # What refers to nothing is refused as before: the tables' references came along.
    ran = program.python(_ORPHAN, data_dir=elsewhere, DATABASE_URL=database)
    assert "foreign key" in ran.stderr
    with Tocsin(DATABASE_URL=database) as again:
        assert again.post({"name": "Next", "labels": {"instance": "a"}}, "/alerts/webhook/generic/") == 202


def test_what_fails_on_the_way_leaves_all_as_it_was(database: str, tmp_path: Path) -> None:
    file, data_dir = tmp_path / "x.tar.gz", tmp_path / "data"
    data_dir.mkdir()
    run("prepare", data_dir=data_dir, DATABASE_URL=database)
    run("channel", "add", "ops", "--driver", "webhook", "--set", f"url={URL}", data_dir=data_dir,
        DATABASE_URL=database)  # fmt: skip
    run("backup", str(file), data_dir=data_dir, DATABASE_URL=database)
    keys = (data_dir / "secret-keys").read_text()
    dump = repacked(file)["database.sql"]
    wrong = tmp_path / "wrong.sql"
    *rest, last = dump.read_text().rsplit("\n-- ", 1)
    wrong.write_text(f"{rest[0]}\nINSERT INTO nowhere VALUES (1);\n-- {last}")
    repacked(file, database=wrong)
    assert "stays as it was" in refused(
        "restore", "--force", str(file), data_dir=data_dir, DATABASE_URL=database
    )
    assert found(data_dir, database)[0] == URL
    assert (data_dir / "secret-keys").read_text() == keys

    cut = tmp_path / "cut.sql"
    cut.write_text(dump.read_text()[:-2_000])
    repacked(file, database=cut)
    assert "not whole" in refused("restore", "--force", str(file), data_dir=data_dir, DATABASE_URL=database)
    assert found(data_dir, database)[0] == URL


def test_what_is_not_installed_is_told(database: str, tmp_path: Path) -> None:
    run("prepare", data_dir=tmp_path, DATABASE_URL=database)
    nothing = tmp_path / "bin"
    nothing.mkdir()
    package = "postgresql-client" if database.startswith("postgres") else "mariadb-client"
    told = refused("backup", "x.tar.gz", data_dir=tmp_path, DATABASE_URL=database, PATH=str(nothing))
    assert f"install the package {package}" in told
    assert not (tmp_path / "x.tar.gz").exists()


def test_a_dump_runs_no_programs(tmp_path: Path) -> None:
    """As psql would if a dump asked for it."""
    with postgres(False) as url:
        run("prepare", data_dir=tmp_path, DATABASE_URL=url)
        file, made = tmp_path / "x.tar.gz", tmp_path / "made"
        run("backup", str(file), data_dir=tmp_path, DATABASE_URL=url)
        dump = repacked(file)["database.sql"]
        wrong = tmp_path / "wrong.sql"
        head, end = dump.read_text().rsplit("\n-- ", 1)
        wrong.write_text(f"{head}\n\\! touch {made}\n-- {end}")
        repacked(file, database=wrong)
        run("restore", "--force", str(file), data_dir=tmp_path, DATABASE_URL=url)
        assert not made.exists()
