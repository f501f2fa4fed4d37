"""Slack, by webhook and by bot, against a stand-in that keeps to Slack's rules."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import slack as fake
from tests.fakes.receiver import Answer
from tests.fakes.slack import Slack
from tests.notify.messages import HOSTILE, alert, message
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers import EDIT, EDIT_THREAD, NEW, THREAD, Gone, Handle
from tocsin.notify.drivers.slack import Config, Driver
from tocsin.notify.drivers.slack.card import card, escape
from tocsin.notify.message import Message
from tocsin.notify.threads import tell


@pytest.fixture
def slack() -> Iterator[Slack]:
    with fake.slack() as here:
        yield here


async def _send(url: str, told: Message, http: Client | None = None) -> str:
    client = http or Client()
    try:
        return await Driver(Config.model_validate({"webhook_url": url})).send(told, client)
    finally:
        client.close()


def _texts(sent: Any) -> str:
    blocks = sent["attachments"][0]["blocks"]
    parts = [part for block in blocks for part in block.get("elements", [block.get("text")])]
    return "\n".join(part["text"] for part in parts)


async def test_slack_takes_the_card_and_it_says_what_is_the_matter(slack: Slack) -> None:
    await _send(slack.url, message(runbook="https://wiki.example.com/cpu", findings=["disk is full"]))
    [sent] = slack.messages
    assert sent["text"] == "[FIRING] HighCPU on web-1"
    said = _texts(sent)
    for part in (
        "*HighCPU* on web-1 · firing",
        "CPU at 97 % for ten minutes",
        "<https://tocsin.example.com/incidents/12/|Open in Tocsin>",
        "<https://wiki.example.com/cpu|Runbook>",
        "disk is full",
        "4bf92f3577b34da6a3ce929d0e0e4736",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("kind", "colour"), [("firing", "#d32f2f"), ("resolved", "#2e9e5b"), ("test", "#d32f2f")]
)
def test_the_colour_tells_the_severity_and_green_the_end(kind: str, colour: str) -> None:
    assert card(message(kind=kind))["attachments"][0]["color"] == colour


async def test_alert_text_is_text_and_calls_nobody(slack: Slack) -> None:
    hostile = alert(name=HOSTILE, labels={"instance": HOSTILE}, annotations={"summary": HOSTILE})
    await _send(
        slack.url, message(title=HOSTILE, alerts=[hostile], findings=[HOSTILE], runbook="https://x/|<!here>")
    )
    said = _texts(slack.messages[0]).replace(HOSTILE, "", 1)  # the header is plain text: read as it stands
    assert "<!" not in said
    assert escape(HOSTILE) in said
    assert slack.messages[0]["text"].count("<") == 0


async def test_the_largest_message_stays_within_slacks_limits(slack: Slack) -> None:
    long = "&<>" * 3000
    large = alert(name=long, labels={"instance": long}, annotations={"summary": long})
    told = message(title=long, alerts=[large] * 20, more_alerts=2980, findings=[long] * 40)
    await _send(slack.url, told)
    said = _texts(slack.messages[0])
    assert "… and 2980 more" in said
    assert "Open in Tocsin" in said


@settings(max_examples=100)
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_card_that_slack_takes(
    title: str, name: str, text: str, labels: dict[str, str]
) -> None:
    told = alert(name=name, labels=labels | {"instance": name}, annotations={"summary": text})
    fake.check(card(message(title=title, alerts=[told], findings=[text] if text else [])))


async def test_a_webhook_that_is_gone_is_final(slack: Slack) -> None:
    with pytest.raises(Rejected, match="HTTP 404: no_service"):
        await _send(slack.url + "x", message())


@pytest.mark.parametrize(
    ("status", "said"), [(400, "invalid_payload"), (403, "action_prohibited"), (410, "channel_is_archived")]
)
async def test_what_slack_refuses_is_final_and_says_why(slack: Slack, status: int, said: str) -> None:
    slack.answers.append(Answer(status, said.encode()))
    with pytest.raises(Rejected, match=said):
        await _send(slack.url, message())


async def test_a_success_with_an_error_inside_is_none(slack: Slack) -> None:
    slack.answers.append(Answer(200, b"invalid_token"))
    with pytest.raises(Rejected, match="Slack said: invalid_token"):
        await _send(slack.url, message())


async def test_too_many_messages_wait_as_long_as_slack_asks(slack: Slack) -> None:
    slack.answers.append(Answer(429, b"rate_limited", {"Retry-After": "30"}))
    with pytest.raises(Unavailable) as caught:
        await _send(slack.url, message())
    assert caught.value.retry_after == 30


async def test_slacks_own_trouble_passes(slack: Slack) -> None:
    slack.answers.append(Answer(500, b"rollup_error"))
    with pytest.raises(Unavailable, match="rollup_error"):
        await _send(slack.url, message())


async def test_the_outbound_guard_holds(slack: Slack) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await _send(slack.url, message(), Client(Allowed.read([])))
    assert slack.requests == []


# The bot: its messages can be found again.


async def _tell(
    slack: Slack,
    told: Message,
    mode: str = EDIT_THREAD,
    handle: Handle | None = None,
    head: Message | None = None,
    **config: Any,
) -> Handle | None:
    http = Client()
    try:
        driver = Driver(Config.model_validate(slack.config | config))
        return (await tell(driver, mode, told, http, handle, head)).handle
    finally:
        http.close()


FIRING = message()
RESOLVED = message(kind="resolved", reason="resolved", status="resolved", firing=0)
WORSE = message(reason="severity", severity="critical")


@pytest.mark.parametrize(
    ("mode", "told", "calls"),
    [
        (NEW, RESOLVED, ["chat.postMessage"]),
        (EDIT, RESOLVED, ["chat.update"]),
        (EDIT, WORSE, ["chat.update"]),
        (THREAD, WORSE, ["chat.postMessage"]),
        (THREAD, RESOLVED, ["chat.update", "chat.postMessage"]),
        (THREAD, message(reason="refired"), ["chat.update", "chat.postMessage"]),
        (EDIT_THREAD, WORSE, ["chat.update", "chat.postMessage"]),
    ],
)
async def test_what_follows_is_told_in_the_channels_mode(
    slack: Slack, mode: str, told: Message, calls: list[str]
) -> None:
    handle = await _tell(slack, FIRING, mode)
    slack.calls.clear()
    assert await _tell(slack, told, mode, handle) is None
    assert slack.calls == calls
    assert len(slack.heads) == (2 if mode == NEW else 1)


async def test_the_end_shows_on_the_head_and_below_it(slack: Slack) -> None:
    handle = await _tell(slack, FIRING)
    await _tell(slack, RESOLVED, EDIT_THREAD, handle, message(kind="resolved", title="HighCPU, whole"))
    [(ts, head)] = slack.heads.items()
    assert head["attachments"][0]["color"] == "#2e9e5b"
    assert "HighCPU, whole" in head["text"]
    assert [reply["text"] for reply in slack.replies[ts]] == ["[RESOLVED] HighCPU on web-1"]


async def test_where_somebody_removed_the_head_a_new_one_is_posted(slack: Slack) -> None:
    handle = await _tell(slack, FIRING)
    slack.heads.clear()
    assert await _tell(slack, RESOLVED, EDIT_THREAD, handle) not in (None, handle)
    assert len(slack.heads) == 1


async def test_a_webhook_cannot_be_followed(slack: Slack) -> None:
    http = Client()
    driver = Driver(Config.model_validate({"webhook_url": slack.url}))
    try:
        for told in (FIRING, RESOLVED):
            assert not (await tell(driver, EDIT_THREAD, told, http, {})).handle
    finally:
        http.close()
    assert len(slack.messages) == 2


@pytest.mark.parametrize("config", [
    {}, {"bot_token": "x"}, {"bot_token": "x", "channel_id": "C1", "webhook_url": "https://hooks.slack.com/x"},
])  # fmt: skip
def test_a_channel_is_a_webhook_or_a_bot(config: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="webhook_url|channel_id is missing"):
        Config.model_validate(config)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("is_archived", Rejected), ("token_revoked", Rejected), ("not_in_channel", Rejected),
        ("message_not_found", Gone), ("internal_error", Unavailable), ("ratelimited", Unavailable),
    ],
)  # fmt: skip
async def test_errors_by_what_can_be_done(slack: Slack, error: str, raised: type[Exception]) -> None:
    slack.answers.append(Answer(200, f'{{"ok": false, "error": "{error}"}}'.encode()))
    driver, http = Driver(Config.model_validate(slack.config)), Client()
    try:
        with pytest.raises(raised, match=error):
            await driver.edit({"channel": "C1", "ts": "1"}, FIRING, http)
    finally:
        http.close()


async def test_a_wrong_token_is_not_told(slack: Slack) -> None:
    with pytest.raises(Rejected, match="invalid_auth") as caught:
        await _tell(slack, FIRING, bot_token="xoxb-secret")
    assert "xoxb" not in str(caught.value)


async def test_buttons_know_their_incident_and_go_when_it_is_over(slack: Slack) -> None:
    handle = await _tell(slack, FIRING, buttons=True)
    [head] = slack.heads.values()
    [actions] = [block for block in head["attachments"][0]["blocks"] if block["type"] == "actions"]
    assert [one["action_id"] for one in actions["elements"]] == [
        "tocsin_acknowledge", "tocsin_resolve", "tocsin_silence", "tocsin_more"
    ]  # fmt: skip
    assert {one["value"] for one in actions["elements"][:2]} == {"12"}
    await _tell(slack, RESOLVED, handle=handle, buttons=True)
    [head] = slack.heads.values()
    assert not [block for block in head["attachments"][0]["blocks"] if block["type"] == "actions"]


def test_who_is_on_it_is_said() -> None:
    told = card(message(kind="acknowledged", owner="<!channel> Anna"))
    assert "&lt;!channel&gt; Anna is on it" in _texts(told)
