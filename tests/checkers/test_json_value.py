"""Numbers out of JSON."""

import pytest

from tests.checkers.looking import look
from tests.fakes.receiver import Receiver
from tocsin.checkers.running import build
from tocsin.core.errors import Misconfigured, Rejected, Unavailable

BODY = (
    b'{"queue": {"length": 42, "paused": false, "name": "mail", "age": "3.5"}, '
    b'"workers": [{"busy": 2}, {"busy": 5}]}'
)


@pytest.mark.parametrize(("path", "value"), [
    ("queue.length", 42), ("queue.paused", 0), ("queue.age", 3.5), ("sum(workers[].busy)", 7),
    ("length(workers[?busy > `3`])", 1),
])  # fmt: skip
def test_a_number(receiver: Receiver, path: str, value: float) -> None:
    receiver.default.body = BODY
    found = look("json_value", url=receiver.url, path=path)
    assert (found.status, found.message, found.metrics) == ("ok", f"{path} is {value:g}", {"value": value})


@pytest.mark.parametrize(("options", "status"), [
    ({"warning": 42}, "warning"), ({"warning": 43}, "ok"), ({"warning": 10, "critical": 20}, "critical"),
    ({"critical": 43}, "ok"), ({"warning": 42, "below": True}, "warning"),
    ({"warning": 50, "critical": 45, "below": True}, "critical"), ({"critical": 41, "below": True}, "ok"),
])  # fmt: skip
def test_thresholds_either_way(receiver: Receiver, options: dict[str, float], status: str) -> None:
    receiver.default.body = BODY
    assert look("json_value", url=receiver.url, path="queue.length", **options).status == status


@pytest.mark.parametrize(("no_data", "status"), [(None, "unknown"), ("ok", "ok"), ("critical", "critical")])
def test_nothing_there(receiver: Receiver, no_data: str | None, status: str) -> None:
    receiver.default.body = BODY
    options = {"no_data": no_data} if no_data else {}
    found = look("json_value", url=receiver.url, path="queue.size", **options)
    assert (found.status, found.message) == (status, "there is nothing at queue.size")


@pytest.mark.parametrize(("body", "path", "said"), [
    (BODY, "queue.name", "at queue.name stands no number but 'mail'"),
    (BODY, "workers", "stands no number but"),
    (b"<html>", "queue", "the answer is not JSON"),
    (BODY, "sum(queue)", "sum"),
])  # fmt: skip
def test_what_is_no_number(receiver: Receiver, body: bytes, path: str, said: str) -> None:
    receiver.default.body = body
    with pytest.raises(Rejected, match=said):
        look("json_value", url=receiver.url, path=path)


def test_answers_that_cannot_be_used(receiver: Receiver) -> None:
    receiver.default.status = 503
    with pytest.raises(Unavailable, match="HTTP 503"):
        look("json_value", url=receiver.url, path="a")
    receiver.default.status, receiver.default.body = 200, b"[" + b"1," * 100 + b"1]"
    with pytest.raises(Rejected, match="longer than max_bytes"):
        look("json_value", url=receiver.url, path="[0]", max_bytes=100)


def test_a_path_that_is_none() -> None:
    with pytest.raises(Misconfigured, match="path: Value error, not JMESPath"):
        build("json_value", {"url": "http://x", "path": "a["})
