"""Jira, against a stand-in of Cloud and of Data Center with a workflow."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes import jira as fake
from tests.fakes.jira import EMAIL, TOKEN, Jira, texts
from tests.fakes.receiver import Answer
from tests.fakes.service import running
from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tests.world import World
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers import Gone
from tocsin.notify.drivers.jira import Config, Driver
from tocsin.notify.message import Message


@pytest.fixture
def jira() -> Iterator[Jira]:
    with running(Jira) as here:
        yield here


def _driver(jira: Jira, **given: Any) -> Driver:
    mail = {"email": EMAIL} if jira.cloud else {}
    base = {"url": jira.url, "token": TOKEN, "project": "OPS", **mail}
    return Driver(Config.model_validate({**base, **given}))


async def _story(driver: Driver, first: Message, *later: Message) -> None:
    """Messages of one incident, one after another, as the mode ``thread`` tells them."""
    http = Client()
    try:
        handle = await driver.post(first, http)
        for each in later:
            if each.kind != "firing" or each.reason == "refired":
                await driver.edit(handle, each, http)
            await driver.reply(handle, each, http)
    finally:
        http.close()


async def test_the_issue_says_what_is_the_matter(jira: Jira) -> None:
    told = message(
        findings=["disk is full"], owner="Ada", note="third try", runbook="https://wiki.example.com/cpu"
    )
    driver = _driver(jira, issue_type="Incident", priorities={"critical": "Highest"})
    assert await send(driver, told) == "issue=OPS-1"
    fields = jira.issues["OPS-1"].fields
    assert (fields["summary"], fields["priority"]) == ("HighCPU on web-1", {"name": "Highest"})
    assert fields["labels"] == ["tocsin", told.key]
    said = "\n".join(texts(fields["description"]))
    for part in ("CPU at 97 %", "disk is full", "Ada is on it", "third try", told.trace_id):
        assert part in said
    linked = [
        node["marks"][0]["attrs"]["href"]
        for node in fields["description"]["content"][-1]["content"]
        if "marks" in node
    ]
    assert linked == [told.url, "https://wiki.example.com/cpu"]


@pytest.mark.parametrize("cloud", [True, False])
async def test_one_incident_is_one_issue_that_is_done_at_its_end(jira: Jira, cloud: bool) -> None:
    jira.cloud = cloud
    await _story(
        _driver(jira),
        message(),
        message(id="2", kind="acknowledged", status="acknowledged", actor="Ada"),
        message(id="3", kind="firing", reason="severity"),
        message(id="4", kind="resolved"),
    )
    [issue] = jira.issues.values()
    assert (issue.status, len(issue.comments)) == ("Done", 3)
    assert "Acknowledged by Ada" in str(issue.comments[0])


async def test_what_is_not_over_after_all_is_reopened_where_that_is_wanted(jira: Jira) -> None:
    told = [message(), message(id="2", kind="resolved"), message(id="3", reason="refired")]
    await _story(_driver(jira), *told)
    assert jira.issues["OPS-1"].status == "Done"
    jira.issues.clear()
    await _story(_driver(jira, reopen="reopen issue"), *told)
    assert jira.issues["OPS-1"].status == "To Do"


async def test_the_end_may_be_told_twice(jira: Jira) -> None:
    await _story(_driver(jira), message(), message(id="2", kind="resolved"), message(id="2", kind="resolved"))
    assert jira.issues["OPS-1"].status == "Done"


async def test_a_transition_that_is_not_there_is_said_with_those_that_are(jira: Jira) -> None:
    with pytest.raises(Rejected, match="no transition 'Shipped' leads on from 'To Do'.*Close issue"):
        await _story(_driver(jira, done="Shipped"), message(), message(id="2", kind="resolved"))


async def test_an_issue_whose_key_was_lost_is_found_again(jira: Jira) -> None:
    await send(_driver(jira))
    await send(_driver(jira))
    assert list(jira.issues) == ["OPS-1"]


async def test_an_issue_that_somebody_removed_is_gone(jira: Jira) -> None:
    http, driver = Client(), _driver(jira)
    for told in (driver.reply, driver.edit):
        with pytest.raises(Gone):
            await told({"issue": "OPS-7"}, message(kind="resolved"), http)
    http.close()


async def test_a_test_leaves_nothing_open(jira: Jira) -> None:
    await send(_driver(jira), message(kind="test", incident_id=None))
    assert [issue.status for issue in jira.issues.values()] == ["Done"]


async def test_in_data_centers_notation_alert_text_is_text(jira: Jira) -> None:
    jira.cloud = False
    evil = "[~admin] \\[~admin] {code} !http://evil/x.png! [pay|http://evil.example] *b* ||h||"
    await send(_driver(jira), message(body=evil))
    said = jira.issues["OPS-1"].fields["description"].partition("\n\n[Open in Tocsin|")[0]
    for sign in "[]{}!|*~":
        at = -1
        while (at := said.find(sign, at + 1)) >= 0:
            assert said[at - 1] == "\\"
            assert said[at - 2] != "\\", "two backslashes are a line break, and the sign is free"


async def test_a_templates_words_stand_in_the_place_of_ours(jira: Jira) -> None:
    await send(_driver(jira), message(subject="CPU!", body="Look at web-1.\nNow."))
    fields = jira.issues["OPS-1"].fields
    assert fields["summary"] == "CPU!"
    assert texts(fields["description"])[:2] == ["Look at web-1.", "Now."]


@pytest.mark.parametrize("cloud", [True, False])
@pytest.mark.parametrize("text", [HOSTILE * 400, "[" * 30_000, "\\" * 30_000, "\n" * 3000])
async def test_the_largest_message_fits(jira: Jira, cloud: bool, text: str) -> None:
    jira.cloud = cloud
    large = alert(name=text, labels={"instance": text}, annotations={"summary": text})
    told = {"title": text, "alerts": [large] * 20, "findings": [text] * 40, "body": text}
    await _story(_driver(jira), message(**told), message(kind="resolved", **told))
    assert jira.issues["OPS-1"].status == "Done"


@settings(max_examples=60)
@given(st.text(), st.text())
def test_any_text_makes_what_jira_takes(title: str, text: str) -> None:
    told = message(title=title, alerts=[alert(name=title, annotations={"summary": text})], body=text)
    for mail in ({"email": EMAIL}, {}):
        config = {"url": "https://jira.example.com", "token": TOKEN, "project": "OPS", **mail}
        driver = Driver(Config.model_validate(config))
        fields = driver.fields(told)
        fake.check_summary(fields["summary"])
        fake.check_text(fields["description"], bool(mail))


async def test_a_wrong_token_is_final_and_is_not_shown(jira: Jira) -> None:
    with pytest.raises(Rejected, match="must be authenticated") as caught:
        await send(_driver(jira, token="not-the-token"))
    assert "not-the-token" not in str(caught.value)


async def test_what_jira_refuses_is_final_and_says_why(jira: Jira) -> None:
    with pytest.raises(Rejected, match="Specify a valid issue type"):
        await send(_driver(jira, issue_type="Bug"))


async def test_an_answer_that_names_no_issue_is_an_error(jira: Jira) -> None:
    jira.answers += [Answer(200, b'{"issues": []}'), Answer(201, b'{"key": "../../secret"}')]
    with pytest.raises(Unavailable, match="not Jira's answer"):
        await send(_driver(jira))


async def test_too_many_requests_wait_as_long_as_jira_asks(jira: Jira) -> None:
    jira.answers.append(Answer(429, b"Rate limit exceeded", {"Retry-After": "17"}))
    with pytest.raises(Unavailable, match="Rate limit") as caught:
        await send(_driver(jira))
    assert caught.value.retry_after == 17


def test_cloud_needs_the_tokens_user() -> None:
    given = {"url": "https://example.atlassian.net", "token": "t", "project": "OPS"}
    with pytest.raises(ValidationError, match="needs the email"):
        Config.model_validate(given)
    with pytest.raises(ValidationError, match="project"):
        Config.model_validate(given | {"email": EMAIL, "project": 'OPS" OR 1'})


async def test_the_outbound_guard_holds(jira: Jira) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await send(_driver(jira), http=Client(Allowed.read([])))
    assert jira.requests == []


def test_from_alert_to_issue(world: World, jira: Jira) -> None:
    """Through intake, the database and the worker: without being told to, the channel keeps one issue."""
    world.channel("tickets", "jira", url=jira.url, email=EMAIL, token=TOKEN, project="OPS")
    world.fire(severity="critical")
    world.work()
    world.forward(minutes=10)
    world.resolve()
    world.work()
    [issue] = jira.issues.values()
    assert (issue.status, len(issue.comments)) == ("Done", 1)
