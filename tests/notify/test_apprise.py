"""Apprise, against receivers of its JSON service and of Gotify's."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes.receiver import Answer, Receiver
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.notify.drivers import apprise
from tocsin.notify.drivers.apprise import Config, Driver

# Apprise loads a module that goes with Python 3.13.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def _driver(*urls: str) -> Driver:
    return Driver(Config.model_validate({"urls": " ".join(urls)}))


def _json(receiver: Receiver, path: str = "hook") -> str:
    return f"json://127.0.0.1:{receiver.port}/{path}"


async def test_the_message_says_what_is_the_matter(receiver: Receiver) -> None:
    told = message(findings=["disk is full"], owner="Ada", note="third try")
    assert await send(_driver(_json(receiver)), told) == "sent to 1"
    [request] = receiver.received
    assert (request.path, request.json["title"]) == ("/hook", "[FIRING] HighCPU on web-1")
    for part in ("CPU at 97 %", "disk is full", "Ada is on it", "third try", told.url, told.trace_id):
        assert part in request.json["message"]


@pytest.mark.parametrize(
    ("kind", "severity", "shown"),
    [
        ("firing", "critical", "failure"), ("firing", "warning", "warning"), ("firing", "info", "info"),
        ("acknowledged", "critical", "info"), ("resolved", "critical", "success"),
    ],
)  # fmt: skip
async def test_what_is_over_looks_different(receiver: Receiver, kind: str, severity: str, shown: str) -> None:
    await send(_driver(_json(receiver)), message(kind=kind, severity=severity))
    assert receiver.received[0].json["type"] == shown


async def test_several_services_get_it_and_each_of_them_once(receiver: Receiver) -> None:
    driver = _driver(_json(receiver, "one"), _json(receiver, "two"), _json(receiver, "three"))
    receiver.answers += [Answer(), Answer(503), Answer()]
    with pytest.raises(Unavailable, match="JSON: .*503"):
        await send(driver)
    assert await send(driver) == "sent to 3"
    assert [request.path for request in receiver.received] == ["/one", "/two", "/three", "/two"]
    await send(driver, message(id="another"))
    assert len(receiver.received) == 7


async def test_alert_text_mentions_nobody(receiver: Receiver) -> None:
    told = alert(annotations={"summary": "@everyone <@U123> <!here> bo@example.com " + HOSTILE})
    await send(_driver(_json(receiver)), message(title="@here", alerts=[told]))
    said = receiver.received[0].json["title"] + receiver.received[0].json["message"]
    for mention in ("@everyone", "@here", "<@", "<!"):
        assert mention not in said
    assert "bo@example.com" in said


async def test_what_a_service_has_no_room_for_is_cut_and_the_link_is_not(receiver: Receiver) -> None:
    receiver.default = Answer(200, b'{"id": 1}')
    large = alert(annotations={"summary": "x" * 900})
    await send(_driver(f"gotify://127.0.0.1:{receiver.port}/AbCdEfGhIj"), message(alerts=[large] * 20))
    assert message().url in receiver.received[0].json["message"]
    assert len(receiver.received[0].json["message"]) <= apprise.MAX_TEXT


@settings(max_examples=20)
@given(st.text(), st.text())
def test_any_text_is_cut_to_what_a_service_takes(title: str, text: str) -> None:
    class Short:
        body_maxlen, title_maxlen, service_name, asset = 160, 0, "short", None

    told = message(title=title, alerts=[alert(annotations={"summary": text})], findings=[text])
    words = apprise._words(Short(), told)
    assert len("\r\n".join(words).replace("\u200b", "")) <= 160


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_what_went_wrong_is_said_without_what_is_secret(receiver: Receiver, status: int) -> None:
    receiver.default = Answer(status, b"no")
    with pytest.raises(Unavailable, match=f"error={status}") as caught:
        await send(_driver(f"json://anna:s3cret-w0rd@127.0.0.1:{receiver.port}/t0ken-in-the-path"))
    assert "s3cret" not in str(caught.value)
    assert "t0ken" not in str(caught.value)


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.default = Answer(307, b"", {"Location": f"{receiver.url}/elsewhere"})
    for query in ("", "?redirect=yes"):
        with pytest.raises(Unavailable):
            await send(_driver(_json(receiver) + query))
    assert {request.path for request in receiver.received} == {"/hook"}


async def test_a_url_that_apprise_does_not_know_is_final_and_is_not_shown() -> None:
    with pytest.raises(Rejected, match="begins with nonsense://") as caught:
        await send(_driver("nonsense://t0ken/path"))
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize("urls", ["", "   ", "gotify", "gotify://x nothing"])
def test_what_is_no_url_is_refused_with_the_config(urls: str) -> None:
    with pytest.raises(ValidationError, match="urls"):
        Config.model_validate({"urls": urls})


async def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(Rejected, match=r"pip install 'tocsin\[apprise\]'"):
        await send(_driver("json://127.0.0.1/"))


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:{port}/",
        "gotify://localhost:{port}/AbCdEfGhIj",
        "mailto://u:p@example.com?smtp=127.0.0.1",
    ],
)
async def test_the_outbound_guard_holds(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(url.format(port=receiver.port)))
    assert receiver.received == []


async def test_a_service_that_hangs_is_left_alone(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.default = Answer(delay=1)
    await send(_driver(_json(receiver)))  # Apprise is loaded
    monkeypatch.setattr(Driver, "timeout", 0.2)
    with pytest.raises(Unavailable, match=r"no end within 0\.2 s"):
        await send(_driver(_json(receiver)))
