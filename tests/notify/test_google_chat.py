"""Google Chat's incoming webhooks, against a stand-in that keeps to their rules."""

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import google_chat as fake
from tests.fakes.google_chat import GoogleChat, refused
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers import Gone
from tocsin.notify.drivers.google_chat import Config, Driver, card


@pytest.fixture
def chat() -> Iterator[GoogleChat]:
    with running(GoogleChat) as here:
        yield here


@pytest.fixture
async def http() -> AsyncIterator[Client]:
    client = Client()
    yield client
    client.close()


def _driver(url: str) -> Driver:
    return Driver(Config.model_validate({"webhook_url": url}))


def _paragraphs(chat: GoogleChat) -> list[str]:
    [sent] = chat.messages
    widgets = sent["cardsV2"][0]["card"]["sections"][0]["widgets"]
    return [widget["textParagraph"]["text"] for widget in widgets]


async def test_the_card_says_what_is_the_matter(chat: GoogleChat) -> None:
    told = message(
        runbook="https://wiki.example.com/cpu", findings=["disk is full"], owner="Ada", note="third try"
    )
    assert await send(_driver(chat.url), told) == "thread=spaces/AAAAMpdlehY/threads/0"
    [sent] = chat.messages
    assert sent["fallbackText"] == "🔴 [FIRING] HighCPU on web-1"
    assert sent["cardsV2"][0]["card"]["header"]["title"] == "🔴 [FIRING] HighCPU on web-1"
    assert _paragraphs(chat) == [
        "<b>HighCPU on web-1 · firing</b><br>CPU at 97 % for ten minutes<br><br>"
        "disk is full<br>Ada is on it<br>third try",
        '<a href="https://tocsin.example.com/incidents/12/">Open in Tocsin</a> · '
        '<a href="https://wiki.example.com/cpu">Runbook</a>',
        '<font color="#d32f2f">critical · trace 4bf92f3577b34da6a3ce929d0e0e4736</font>',
    ]


@pytest.mark.parametrize(("kind", "sign"), [("firing", "🔴"), ("acknowledged", "👀"), ("resolved", "✅")])
def test_its_sign_tells_how_bad_it_is(kind: str, sign: str) -> None:
    assert card(message(kind=kind))["fallbackText"].startswith(f"{sign} [{kind.upper()}]")


async def test_alert_text_is_text_and_calls_nobody(chat: GoogleChat) -> None:
    told = f"{HOSTILE} <users/all> </b> <a href='https://evil.example'>free</a>"
    hostile = alert(name=told, labels={"instance": told}, annotations={"summary": told})
    await send(_driver(chat.url), message(title=told, alerts=[hostile], findings=[told], note=told))
    said = "".join(_paragraphs(chat))
    assert said.count("<a ") == 1
    assert "<users" not in said
    assert fake.seen(said).count("<a href='https://evil.example'>free</a>") == 4


async def test_a_templates_words_stand_in_the_place_of_ours(chat: GoogleChat) -> None:
    await send(_driver(chat.url), message(subject="CPU!", body="Look at <web-1>."))
    assert chat.messages[0]["fallbackText"] == "🔴 CPU!"
    assert _paragraphs(chat)[0] == "Look at &lt;web-1&gt;."


@pytest.mark.parametrize("long", ['"\\' * 9000, "&<😀" * 9000])
async def test_of_the_largest_message_the_most_important_is_said(chat: GoogleChat, long: str) -> None:
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    told = message(title=long, alerts=[large] * 20, more_alerts=2980, findings=[long] * 40, owner=long)
    await send(_driver(chat.url), told)
    assert "more<br><br>" in _paragraphs(chat)[0]
    assert "Open in Tocsin" in _paragraphs(chat)[1]


@settings(max_examples=100)
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_card_that_google_chat_takes(
    title: str, words: str, link: str, labels: dict[str, str]
) -> None:
    told = alert(name=title, labels=labels | {"instance": words}, annotations={"summary": words})
    made = card(message(title=title, alerts=[told], findings=[words], runbook=f"https://x{link}", body=words))
    fake.check(msgspec.json.decode(msgspec.json.encode(made)))


async def test_an_incident_is_a_thread_and_each_message_is_in_it_once(chat: GoogleChat, http: Client) -> None:
    driver, end = _driver(chat.url), message(id="another", kind="resolved")
    handles = [await driver.post(message(), http) for _ in range(2)]  # as after a crash
    for _ in range(2):
        await driver.edit(handles[0], end, http)
        await driver.reply(handles[0], end, http)
    other = await driver.post(message(id="third"), http)
    assert [sent["thread"]["name"] for sent in chat.messages] == [
        handles[0]["thread"], handles[0]["thread"], other["thread"]
    ]  # fmt: skip
    assert handles[0] == handles[1] != other


async def test_a_thread_that_somebody_deleted_is_gone(chat: GoogleChat, http: Client) -> None:
    driver = _driver(chat.url)
    handle = await driver.post(message(), http)
    chat.threads.clear()
    with pytest.raises(Gone, match="Thread not found"):
        await driver.reply(handle, message(), http)


@pytest.mark.parametrize(
    ("changed", "said"),
    [(("token=UM", "token=XX"), "PERMISSION_DENIED"), (("AAAAM", "BBBBM"), "entity was not found")],
)
async def test_a_webhook_that_is_gone_is_final_and_not_shown(
    chat: GoogleChat, changed: tuple[str, str], said: str
) -> None:
    with pytest.raises(Rejected, match=said) as caught:
        await send(_driver(chat.url.replace(*changed)))
    assert "xm6ZnUbvZ9BDzeQ5" not in str(caught.value)


async def test_too_many_messages_pass_later(chat: GoogleChat) -> None:
    chat.answers.append(refused(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."))
    with pytest.raises(Unavailable, match="RESOURCE_EXHAUSTED"):
        await send(_driver(chat.url))


@pytest.mark.parametrize("answer", [Answer(503, b"<html>"), Answer(200, b"<html>sign in first</html>")])
async def test_trouble_on_the_way_passes(chat: GoogleChat, answer: Answer) -> None:
    chat.answers.append(answer)
    with pytest.raises(Unavailable, match="<html>"):
        await send(_driver(chat.url))


async def test_the_outbound_guard_holds(chat: GoogleChat) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(chat.url), http=Client(Allowed.read([])))
    assert chat.requests == []


@pytest.mark.parametrize("url", ["", "chat.googleapis.com/v1", "file:///v1/spaces"])
def test_what_is_no_url_is_refused_with_the_config(url: str) -> None:
    with pytest.raises(ValidationError, match="webhook_url"):
        Config.model_validate({"webhook_url": url})
