"""What an instance answers, whoever asks whatever."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.slack import Slack
from tests.threader.instances import Instance, alert, by_bot, headline, webhook
from tocsin.alerts.intake.request import Scope
from tocsin.core import clock
from tocsin.core.errors import Unavailable
from tocsin.threader import settings
from tocsin.threader.counted import Counted
from tocsin.threader.door import Door
from tocsin.threader.sqlite_store import SqliteStore

RECORDED = Path(__file__).parents[1] / "fixtures/drivers/alertmanager/highcpu-partly-resolved.json"
GOOD = json.dumps(webhook(alert("web-1"))).encode()


class Away(SqliteStore):
    """A disk that is full."""

    async def put(self, group: str, webhook: bytes) -> None:
        raise Unavailable("disk is full", 2)

    async def depth(self) -> Any:
        raise Unavailable("disk is full", 2)


class Asked:
    """A door in this process."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.rings = store, 0
        self.door = Door(settings.read(), store, Counted(clock.now()), self._ring)

    def _ring(self) -> None:
        self.rings += 1

    async def ask(
        self, body: bytes = GOOD, path: str = "/alert", method: str = "POST", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        sent: list[Any] = []
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope: Scope = {
            "type": "http",
            "path": path,
            "method": method,
            "headers": given,
            "client": ("::1", 1),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.door(scope, receive, send)
        text = sent[1]["body"]
        return sent[0]["status"], json.loads(text) if text[:1] == b"{" else {"text": text.decode()}


@pytest.fixture
async def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in (
        ("SLACK_BOT_TOKEN", "x"),
        ("SLACK_CHANNEL", "C1"),
        ("TOCSIN_DATA_DIR", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)
    store = SqliteStore(tmp_path, "place")
    await store.open()
    yield Asked(store)
    await store.close()


async def test_a_webhook_is_kept_before_it_is_answered(asked: Asked) -> None:
    status, told = await asked.ask(x_correlation_id="c-1")
    assert (status, told) == (
        200,
        {"status": "accepted", "trace_id": "c-1", "group": '{}:{alertname="HighCPU"}', "alerts": 1},
    )
    assert ((await asked.store.depth()).webhooks, asked.rings) == (1, 1)


async def test_what_alertmanager_really_sends(asked: Asked) -> None:
    assert (await asked.ask(RECORDED.read_bytes()))[0] == 200
    assert (await asked.ask(gzip.compress(GOOD), content_encoding="gzip"))[0] == 200


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"groupKey": 1}', b'{"groupKey": "a"}',
    b'{"groupKey": "a", "alerts": []}', b'{"groupKey": "a", "alerts": [{}]}',
    b'{"groupKey": "a", "alerts": {"labels": {}}}', b'{"alerts": [{"labels": {"a": "b"}}]}',
    GOOD.replace(b'"4"', b'"5"'), GOOD.replace(b"web-1", b"web\\u0000"), GOOD.replace(b"{}:", b"x" * 70_000),
    GOOD.replace(b"firing", b"burning"),
])  # fmt: skip
async def test_what_is_no_webhook_is_refused(asked: Asked, body: bytes) -> None:
    status, told = await asked.ask(body)
    assert (status, told["code"]) == (400, "payload")
    assert (await asked.store.depth()).webhooks == asked.rings == 0


async def test_what_is_too_large_is_refused(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_INTAKE_MAX_BYTES", str(len(GOOD) - 1))
    small = Asked(asked.store)
    assert (await small.ask())[0] == 413
    assert (await small.ask(gzip.compress(GOOD), content_encoding="gzip"))[0] == 413


async def test_what_cannot_be_kept_is_not_answered_as_if_it_were(asked: Asked, tmp_path: Path) -> None:
    full = Asked(Away(tmp_path, "place"))
    status, told = await full.ask()
    assert (status, told["code"], full.rings) == (503, "unavailable", 0)
    status, told = await full.ask(b"", "/health", "GET")
    assert (status, told["status"]) == (503, "unavailable")
    assert "threader_health_status 0.0" in (await full.ask(b"", "/metrics", "GET"))[1]["text"]
    assert (await full.ask(b"", "/stats", "GET"))[1]["waiting"] is None


async def test_other_paths_and_methods(asked: Asked) -> None:
    assert (await asked.ask(b"", "/alert", "GET"))[0] == 405
    assert (await asked.ask(b"", "/stats", "POST"))[0] == 405
    assert (await asked.ask(b"", "/api/v2/alerts", "POST"))[0] == 404
    assert (await asked.ask(b"", "/health", "GET"))[1]["status"] == "ok"
    metrics = (await asked.ask(b"", "/metrics", "GET"))[1]["text"]
    assert 'http_requests_total{method="GET",path="/alert",status="405"} 1.0' in metrics
    assert 'http_requests_total{method="POST",path="other",status="404"} 1.0' in metrics
    assert 'http_request_duration_seconds_count{path="/health"} 1.0' in metrics
    assert "threader_health_status 1.0" in metrics
    assert 'threader_errors_total{kind="slack"} 0.0' in metrics


async def test_with_a_secret_only_who_has_it_may_post(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADER_SECRET", "päss")
    monkeypatch.setenv("THREADER_HOST", "0.0.0.0")
    wide = Asked(asked.store)
    basic = base64.b64encode("alertmanager:päss".encode()).decode()
    wrong = base64.b64encode(b"alertmanager:pass").decode()
    for status, given in (
        (200, f"Basic {basic}"), (403, f"Basic {wrong}"), (403, "Basic ?"), (403, "Bearer "), (403, "päss"),
    ):  # fmt: skip
        assert (await wide.ask(authorization=given))[0] == status, given
    assert (await wide.ask())[0] == 401
    assert (await wide.ask(b"", "/health", "GET"))[0] == 200
    for _ in range(40):
        status, told = await wide.ask()
    assert (status, told["code"]) == (429, "access")
    assert (await wide.ask(authorization=f"Basic {basic}"))[0] == 200, "who has it is never told to wait"


async def test_without_a_secret_no_proxy_lets_others_in(asked: Asked) -> None:
    assert (await asked.ask(x_forwarded_for="203.0.113.9"))[0] == 401


def test_over_the_wire(slack: Slack, tmp_path: Path) -> None:
    with Instance(tmp_path, {**by_bot(slack), "THREADER_SECRET": "s3cret"}) as threader:
        assert threader.post(webhook(alert("web-1"))) == 401
        assert threader.post(b"{", Authorization="Bearer s3cret") == 400
        assert threader.post(webhook(alert("web-1")), Authorization="Bearer s3cret") == 200
        threader.wait_idle()
        assert list(map(headline, slack.heads.values())) == ["[FIRING] HighCPU"]
        assert "s3cret" not in threader.said
