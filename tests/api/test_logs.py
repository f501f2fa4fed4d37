"""Our own log over HTTP: from files, from Loki; filters, bounds, and who may read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.fakes.loki import loki
from tests.fakes.receiver import Answer, Receiver
from tests.program import python
from tocsin.accounts import services as accounts
from tocsin.core import clock, logfile
from tocsin.fleet.logs import files
from tocsin.fleet.logs import loki as from_loki

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def reader(client: Client) -> Client:
    """Somebody with a key of scope read."""
    made = accounts.create_api_key(name="reader", scope="read", now=clock.now())
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {made}"
    return client


def line(minutes_ago: float = 0, **told: Any) -> bytes:
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat().replace("+00:00", "Z")
    given = {"event": "tests.line", "level": "info", "logger": "tocsin.tests", "timestamp": at}
    return msgspec.json.encode(given | told) + b"\n"


def write(*lines: bytes, number: int = 0) -> None:
    logfile.folder().mkdir(exist_ok=True)
    logfile.files()[number].write_bytes(b"".join(lines))


def ask(client: Client, **query: Any) -> list[Any]:
    answer = client.get("/api/logs", query)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told.keys() == {"lines", "count"} and told["count"] == len(told["lines"])
    return list(told["lines"])


def events(client: Client, **query: Any) -> list[str]:
    return [found["event"] for found in ask(client, **query)]


def test_nothing_yet(reader: Client, data_dir: Path) -> None:
    assert ask(reader) == []


def test_what_a_process_logged_is_read(reader: Client, data_dir: Path) -> None:
    python(
        "from tocsin.core import log\nlog.get('tocsin.x').warning('x.happened', trace_id='t-1', count=3)",
        data_dir=data_dir,
    )
    found = ask(reader, correlation_id="t-1")[0]
    fields = found.pop("fields")
    assert datetime.fromisoformat(found.pop("at")).tzinfo is not None
    assert found == {"level": "warning", "source": "tocsin.x", "event": "x.happened", "trace_id": "t-1"}
    assert fields["count"] == 3 and fields["pid"] > 0


def test_newest_first_over_all_files(reader: Client, data_dir: Path) -> None:
    write(line(30, event="a"), line(20, event="b"), number=1)
    write(line(10, event="c"), line(5, event="e"), line(5.2, event="d"))
    assert events(reader) == ["e", "d", "c", "b", "a"]
    assert events(reader, limit=2) == ["e", "d"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"correlation_id": "t-1"}, "ab"),
        ({"trace_id": "t-2"}, "c"),
        ({"correlation_id": "t"}, ""),
        ({"level": "warning"}, "b"),
        ({"level": ["WARNING", "error"]}, "bc"),
        ({"source": "tocsin.notify"}, "ab"),
        ({"source": "tocsin.notify.sending"}, "a"),
        ({"source": "tocsin.not"}, ""),
        ({"since": "2026-11-21T11:45:00Z"}, "cd"),
        ({"until": "2026-11-21T12:45:00 01:00"}, "ab"),
        ({"since": f"{(NOW - timedelta(minutes=25)).timestamp():.0f}", "until": "2026-11-21T11:55"}, "bc"),
        ({"since": "2026-11-21T11:45:00Z", "level": "debug"}, "d"),
    ],
)
def test_narrowed(query: dict[str, Any], shown: str, reader: Client, data_dir: Path) -> None:
    write(
        line(30, event="a", trace_id="t-1", logger="tocsin.notify.sending"),
        line(20, event="b", trace_id="t-1", level="warning", logger="tocsin.notify"),
        line(10, event="c", trace_id="t-2", level="error", logger="tocsin.notifyx"),
        line(0, event="d", level="debug"),
    )
    assert sorted(events(reader, **query)) == list(shown)


def test_what_is_no_line_is_passed_over(reader: Client, data_dir: Path) -> None:
    torn = (b'{"event": "to', b"\n", b"\xff\xfe\n", b"[1]\n", b"{}\n", b'{"timestamp": "soon"}\n', b"\n")
    write(line(event="a"), *torn, line(event="b"), b'{"event": "being writ')
    assert sorted(events(reader)) == ["a", "b"]


def test_long_files_are_read_in_blocks(
    reader: Client, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BLOCK", 100)
    write(*(line(50 - number / 10, event=f"e{number}", more="x" * number) for number in range(300)))
    assert events(reader, limit=300) == [f"e{number}" for number in reversed(range(300))]
    write(b"x" * 1_000_000, b"\n", line(event="after"))
    assert events(reader) == ["after"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"limit": ""}, {"level": "loud"},
        {"since": "soon"}, {"until": "9" * 30}, {"since": "nan"}, {"color": "red"},
    ],
)  # fmt: skip
def test_what_cannot_be_asked(query: dict[str, str], reader: Client, data_dir: Path) -> None:
    answer = reader.get("/api/logs", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "query")


def test_who_may_read(client: Client, data_dir: Path) -> None:
    assert client.get("/api/logs").status_code == 401, "also on loopback"
    for scope, status in (("ingest", 403), ("write", 200)):
        made = accounts.create_api_key(name=scope, scope=scope, now=clock.now())
        assert client.get("/api/logs", headers={"Authorization": f"Bearer {made}"}).status_code == status
    client.force_login(get_user_model().objects.create_user("alice"))
    assert client.get("/api/logs").status_code == 200
    assert client.post("/api/logs").status_code == 405


def test_a_setting_that_names_nothing(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_LOGS", "syslog")
    answer = reader.get("/api/logs")
    assert (answer.status_code, answer.json()["code"]) == (500, "setting")
    assert "file, journald" in answer.json()["message"]


# Loki.


def nanoseconds(minutes_ago: float) -> int:
    return int((NOW - timedelta(minutes=minutes_ago)).timestamp()) * 10**9


DAY: dict[str, str] = {"since": "2026-11-21T00:00:00Z", "until": "2026-11-21T13:00:00Z"}


def test_lines_from_loki(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with loki() as found:
        monkeypatch.setenv("TOCSIN_LOGS", f"loki:{found.url}/")
        monkeypatch.setenv("TOCSIN_LOKI_LABELS", 'job=tocsin,env="x"')
        ours = {"job": "tocsin", "env": '"x"'}
        for minutes, told in (
            (30, {"event": "a", "trace_id": "t-1"}),
            (10, {"event": "b", "level": "error"}),
        ):
            found.push(ours, nanoseconds(minutes), line(minutes, **told).decode().strip())
        found.push(ours, nanoseconds(5), "Traceback (most recent call last): t-1")
        found.push({"job": "other"}, nanoseconds(5), line(5, event="not ours").decode())
        assert events(reader, **DAY) == ["Traceback (most recent call last): t-1", "b", "a"]
        assert events(reader, **DAY, correlation_id="t-1") == ["a"]
        assert events(reader, **DAY, level="error") == ["b"]
        assert events(reader, **DAY, correlation_id='"} |= "') == []
        assert events(reader, since="2026-11-21T11:31:00Z", until="2026-11-21T11:50:00Z") == ["b"]
        found.push(ours, nanoseconds(60 * 48), line(60 * 48, event="old").decode())
        assert "old" not in events(reader, until=DAY["until"]), "without a time, of one day alone"


def test_loki_is_asked_again_until_there_are_enough(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_loki, "AT_ONCE", 10)
    with loki() as found:
        monkeypatch.setenv("TOCSIN_LOGS", f"loki:{found.url}")
        for number in range(60):
            told = line(number, event=f"e{number}", level="error" if number % 20 == 0 else "info")
            found.push({"job": "tocsin"}, nanoseconds(number), told.decode().strip())
        assert events(reader, **DAY, level="error") == ["e0", "e20", "e40"]
        assert 6 <= len(found.requests) <= 8
        for _ in range(15):  # more of one moment than are given at once
            found.push({"job": "tocsin"}, nanoseconds(0), line(0, event="same").decode().strip())
        assert events(reader, **DAY, limit=30)[:2] == ["e0", "same"]


def test_long_answers_of_loki_are_read_whole(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with loki() as found:
        monkeypatch.setenv("TOCSIN_LOGS", f"loki:{found.url}")
        for number in range(200):
            told = line(number / 10, exception="x" * 5_000).decode().strip()
            found.push({"job": "tocsin"}, nanoseconds(number / 10), told)
        assert len(ask(reader, **DAY, limit=200)) == 200


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b"too many outstanding requests"),
        Answer(200, b"<html>"),
        Answer(200, b'{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}}]}}'),
        Answer(200, b'{"data": {"result": [{"values": [["soon", "x"]]}]}}'),
        Answer(200, b'{"data": {"result": [{"values": [[]]}]}}'),
        Answer(302, b"", {"Location": "http://127.0.0.1/"}),
    ],
)
def test_what_is_no_answer_of_lokis(
    answer: Answer, reader: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_LOGS", f"loki:http://user:pa%40ss@127.0.0.1:{receiver.port}/sub")
    receiver.default = answer
    told = reader.get("/api/logs")
    assert (told.status_code, told.json()["code"]) == (503, "unavailable")
    assert "pa@ss" not in told.content.decode()
    asked = receiver.received[0]
    assert asked.path.startswith("/sub/loki/api/v1/query_range?query=%7Bjob%3D%22tocsin%22%7D&start=")
    assert asked.headers["authorization"] == "Basic dXNlcjpwYUBzcw=="


def test_the_outbound_guard_holds_for_loki(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    monkeypatch.setenv("TOCSIN_LOGS", "loki:http://127.0.0.1:3100")
    answer = reader.get("/api/logs")
    assert answer.status_code == 500
    assert "TOCSIN_OUTBOUND_ALLOW" in answer.json()["message"]


@pytest.mark.parametrize("setting", ["loki:", "loki:ftp://x", "loki:http://[", "loki:http://x:y/"])
def test_no_loki_at_all(setting: str, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_LOGS", setting)
    assert reader.get("/api/logs").status_code == 503


@pytest.mark.parametrize("labels", ["job", "job=", "a-b=c", "=x"])
def test_labels_that_are_none(labels: str, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_LOGS", "loki:http://127.0.0.1:3100")
    monkeypatch.setenv("TOCSIN_LOKI_LABELS", labels)
    answer = reader.get("/api/logs")
    assert (answer.status_code, answer.json()["code"]) == (500, "setting")
    assert "TOCSIN_LOKI_LABELS" in answer.json()["message"]
