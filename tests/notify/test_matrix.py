"""Matrix' client-server API, against a stand-in that keeps to its rules."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import matrix as fake
from tests.fakes.matrix import ROOM, TOKEN, Homeserver, limited, refused
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers import Gone
from tocsin.notify.drivers.matrix import Config, Driver, content


@pytest.fixture
def matrix() -> Iterator[Homeserver]:
    with running(Homeserver) as here:
        yield here


@pytest.fixture
async def http() -> AsyncIterator[Client]:
    client = Client()
    yield client
    client.close()


def _driver(matrix: Homeserver, **given: Any) -> Driver:
    return Driver(Config.model_validate({"url": matrix.url + "/", "token": TOKEN, "room_id": ROOM, **given}))


async def test_the_message_says_what_is_the_matter(matrix: Homeserver) -> None:
    told = message(
        runbook="https://wiki.example.com/cpu", findings=["disk is full"], owner="Ada", note="third try"
    )
    assert (await send(_driver(matrix), told)).startswith("event_id=$0")
    [sent] = matrix.events.values()
    said = (
        "🔴 [FIRING] HighCPU on web-1\n\n"
        "HighCPU on web-1 · firing\nCPU at 97 % for ten minutes\n\n"
        "disk is full\nAda is on it\nthird try\n\n"
    )
    ending = "\n\ncritical · trace 4bf92f3577b34da6a3ce929d0e0e4736"
    assert fake.seen(sent) == said + "Open in Tocsin · Runbook" + ending
    assert sent["body"] == (
        said + "Open in Tocsin: https://tocsin.example.com/incidents/12/ · "
        "Runbook: https://wiki.example.com/cpu" + ending
    )
    assert sent["msgtype"] == "m.text", "phones stay silent about a notice"


@pytest.mark.parametrize(("kind", "sign"), [("firing", "🔴"), ("acknowledged", "👀"), ("resolved", "✅")])
def test_its_sign_tells_how_bad_it_is(kind: str, sign: str) -> None:
    assert content(message(kind=kind))["formatted_body"].startswith(f"{sign} <b>[{kind.upper()}]")


async def test_alert_text_is_text_and_calls_nobody(matrix: Homeserver) -> None:
    told = f"{HOSTILE} @room </b> <a href='https://matrix.to/#/@ada:example.org'>Ada</a> <img src=x>"
    hostile = alert(name=told, labels={"instance": told}, annotations={"summary": told})
    await send(_driver(matrix), message(title=told, alerts=[hostile], findings=[told], note=told))
    [sent] = matrix.events.values()
    assert sent["formatted_body"].count("<a ") == 1
    assert "@room" not in sent["body"] + sent["formatted_body"]
    assert fake.seen(sent).count("<img src=x>") == 5


async def test_a_templates_words_stand_in_the_place_of_ours(matrix: Homeserver) -> None:
    await send(_driver(matrix), message(subject="CPU!", body="Look at <web-1>."))
    [sent] = matrix.events.values()
    assert sent["body"].startswith("🔴 CPU!\n\nLook at <web-1>.\n\nOpen in Tocsin")


@pytest.mark.parametrize("long", ['"\\' * 9000, "&<😀" * 9000])
async def test_the_largest_message_can_be_posted_and_changed(
    matrix: Homeserver, http: Client, long: str
) -> None:
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    told = message(title=long, alerts=[large] * 20, more_alerts=2980, findings=[long] * 40, body=long)
    driver = _driver(matrix)
    await driver.edit(await driver.post(told, http), told, http)
    assert len(matrix.events) == 2


@settings(max_examples=100)
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_message_that_matrix_takes(
    title: str, words: str, link: str, labels: dict[str, str]
) -> None:
    told = alert(name=title, labels=labels | {"instance": words}, annotations={"summary": words})
    made = content(message(title=title, alerts=[told], findings=[words], runbook=f"https://x{link}"))
    fake.check(msgspec.json.decode(msgspec.json.encode(made)))


async def test_what_was_written_can_say_something_else_and_is_answered_once(
    matrix: Homeserver, http: Client
) -> None:
    driver, end = _driver(matrix), message(id="another", kind="resolved")
    handles = [await driver.post(message(), http) for _ in range(2)]  # as after a crash
    assert handles[0] == handles[1]
    for _ in range(2):
        await driver.edit(handles[0], end, http)
        await driver.reply(handles[0], end, http)
    _, edited, answered = matrix.events.values()
    assert edited["m.relates_to"] == {"rel_type": "m.replace", **handles[0]}
    assert edited["m.new_content"]["body"].startswith("✅ [RESOLVED]")
    assert edited["body"].startswith("* ✅ [RESOLVED]")
    assert answered["m.relates_to"]["rel_type"] == "m.thread"
    assert answered["m.relates_to"]["m.in_reply_to"] == handles[0]


async def test_a_message_that_is_not_there_is_gone(matrix: Homeserver, http: Client) -> None:
    driver = _driver(matrix)
    for tell in (driver.edit, driver.reply):
        with pytest.raises(Gone, match="unknown event"):
            await tell({"event_id": "$elsewhere"}, message(), http)
    handle = await driver.post(message(), http)
    matrix.answers.append(refused(403, "M_FORBIDDEN", "You don't have permission to post that"))
    with pytest.raises(Rejected, match="permission") as caught:
        await driver.edit(handle, message(), http)
    assert not isinstance(caught.value, Gone)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"token": "a-wrong-secret"}, "M_UNKNOWN_TOKEN"), ({"room_id": "!x/y"}, "M_FORBIDDEN")],
)
async def test_what_is_set_wrong_is_final_and_shows_no_token(
    matrix: Homeserver, given: dict[str, str], said: str
) -> None:
    with pytest.raises(Rejected, match=said) as caught:
        await send(_driver(matrix, **given))
    assert "a-wrong-secret" not in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_too_many_messages_wait_as_long_as_the_server_asks(matrix: Homeserver) -> None:
    matrix.answers.append(limited(2500))
    with pytest.raises(Unavailable, match="M_LIMIT_EXCEEDED") as caught:
        await send(_driver(matrix))
    assert caught.value.retry_after == 2.5


@pytest.mark.parametrize("answer", [Answer(502, b"<html>"), Answer(200, b"<html>sign in first</html>")])
async def test_trouble_on_the_way_passes(matrix: Homeserver, answer: Answer) -> None:
    matrix.answers.append(answer)
    with pytest.raises(Unavailable, match="<html>"):
        await send(_driver(matrix))


async def test_the_outbound_guard_holds(matrix: Homeserver) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(matrix), http=Client(Allowed.read([])))
    assert matrix.requests == []


@pytest.mark.parametrize(("name", "value"), [("url", "matrix.org"), ("room_id", "#ops:example.org")])
def test_what_cannot_be_is_refused_with_the_config(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Config.model_validate({"url": "https://x", "token": TOKEN, "room_id": ROOM, name: value})
