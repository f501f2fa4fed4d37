"""JSON to any URL, signed, with a key that tells a repeat."""

import hashlib
import hmac

import pytest
from pydantic import ValidationError

from tests.fakes.receiver import Answer, Receiver
from tests.notify.messages import message
from tests.world import World
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.notify.drivers.webhook import Config, Driver


async def _send(url: str, secret: str = "") -> str:
    http = Client()
    try:
        return await Driver(Config.model_validate({"url": url, "secret": secret})).send(message(), http)
    finally:
        http.close()


async def test_the_message_goes_out_as_json(receiver: Receiver) -> None:
    assert await _send(receiver.url) == "HTTP 200"
    [request] = receiver.received
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-correlation-id"] == message().trace_id
    assert request.headers["idempotency-key"] == request.json["id"] == message().id
    assert "x-tocsin-signature" not in request.headers
    assert request.json["alerts"][0]["labels"]["instance"] == "web-1"
    assert request.json["opened_at"] == "2026-11-21T12:00:00Z"


async def test_the_signature_can_be_verified_with_the_secret(receiver: Receiver) -> None:
    await _send(receiver.url, "s3cret")
    [request] = receiver.received
    right = hmac.new(b"s3cret", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-tocsin-signature"] == f"sha256={right}"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.default = Answer(status, b"not now")
    with pytest.raises(Unavailable, match=f"HTTP {status}: not now"):
        await _send(receiver.url)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 410, 413, 422])
async def test_what_will_not_pass_is_final(receiver: Receiver, status: int) -> None:
    receiver.default = Answer(status, b"never", {"Location": receiver.url})
    with pytest.raises(Rejected, match=f"HTTP {status}"):
        await _send(receiver.url)
    assert len(receiver.received) == 1, "redirects are not followed"


@pytest.mark.parametrize(
    "url", ["", "ftp://example.com", "example.com", "javascript:alert(1)", "//example.com"]
)
def test_a_url_that_is_none_is_refused_with_the_config(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        Config.model_validate({"url": url})


def test_the_key_is_the_same_for_every_try(world: World) -> None:
    world.channel()
    world.receiver.answers += [Answer(500), Answer(500)]
    world.fire()
    world.work()
    for _ in range(2):
        world.forward(minutes=1)
    keys = [request.headers["idempotency-key"] for request in world.receiver.received]
    assert len(keys) == 3
    assert len(set(keys)) == 1
