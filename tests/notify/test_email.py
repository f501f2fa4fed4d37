"""Mail: two parts, threaded by incident, and SMTP's own distinction between later and never."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from tests.fakes import smtp as fake
from tests.fakes.smtp import MailServer
from tests.notify.messages import HOSTILE, alert, message
from tocsin.core.errors import Forbidden, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.notify.drivers.email import Config, Driver, compose
from tocsin.notify.message import Message


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with fake.mail_server() as here:
        yield here


def _config(port: int = 25, **given: Any) -> Config:
    base = {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "security": "none",
        "sender": "Tocsin <tocsin@example.com>",
    }
    return Config.model_validate({**base, "to": "ops@example.com, Anna <anna@example.org>", **given})


async def _send(smtp: MailServer, told: Message | None = None, **given: Any) -> str:
    return await Driver(_config(smtp.port, **given)).send(told or message(), Client())


async def test_a_mail_reaches_everybody_in_two_parts(smtp: MailServer) -> None:
    assert await _send(smtp) == "accepted"
    [mail] = smtp.mails
    assert (mail.sender, mail.recipients) == ("tocsin@example.com", ["ops@example.com", "anna@example.org"])
    assert mail.message["Subject"] == "[FIRING] HighCPU on web-1"
    for kind in ("plain", "html"):
        said = mail.part(kind)
        for part in (
            "CPU at 97 % for ten minutes",
            "web-1",
            "https://tocsin.example.com/incidents/12/",
            "4bf92f35",
        ):
            assert part in said


async def test_line_breaks_of_the_alerts_own_text_are_kept(smtp: MailServer) -> None:
    await _send(smtp, message(alerts=[alert(annotations={"summary": "one\ntwo"})]))
    assert "white-space:pre-line" in smtp.mails[0].part("html").partition("one\ntwo")[0][-120:]


async def test_mails_of_one_incident_make_a_thread(smtp: MailServer) -> None:
    await _send(smtp)
    await _send(smtp, message(id="other", kind="resolved"))
    first, second = (mail.message for mail in smtp.mails)
    assert first["References"] == second["References"] == "<incident-12@example.com>"
    assert first["In-Reply-To"] == first["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert second["Subject"].startswith("[RESOLVED]")


async def test_alert_text_cannot_add_headers_or_markup(smtp: MailServer) -> None:
    evil = "x\r\nBcc: victim@example.com\r\n\r\n<script>alert(1)</script>"
    hostile = alert(name=HOSTILE + evil, labels={evil: evil}, annotations={"summary": evil + HOSTILE})
    await _send(smtp, message(title=evil, alerts=[hostile], findings=[evil], trace_id="4bf9"))
    [mail] = smtp.mails
    assert "Bcc" not in mail.message
    assert mail.recipients == ["ops@example.com", "anna@example.org"]
    assert "<script" not in mail.part("html")
    assert "<b>" not in mail.part("html")
    assert "{{ 7*7 }}" in mail.part("html"), "templates in alerts are text"


async def test_lines_that_begin_with_a_dot_and_long_words_survive(smtp: MailServer) -> None:
    text = ".\n..two\n" + "x" * 5000 + "\nпоследняя"
    await _send(smtp, message(alerts=[alert(annotations={"summary": text})]))
    said = smtp.mails[0].part("plain")
    assert "..two" in said
    assert "x" * 5000 in said
    assert "последняя" in said


async def test_it_signs_in_where_a_user_is_given(smtp: MailServer) -> None:
    await _send(smtp, username="anna", password="s3cret")
    assert smtp.signed_in == ["\0anna\0s3cret"]


@pytest.mark.parametrize("step", ["CONNECT", "MAIL", "RCPT", "DATA", "END"])
async def test_four_hundreds_pass_and_five_hundreds_do_not(smtp: MailServer, step: str) -> None:
    smtp.answers = {step: "451 try again later"}
    with pytest.raises(Unavailable, match="451 try again later"):
        await _send(smtp)
    smtp.answers = {step: "554 5.7.1 we do not want you"}
    with pytest.raises(Rejected, match="554 5.7.1 we do not want you"):
        await _send(smtp)
    assert smtp.mails == []


async def test_a_wrong_password_is_final(smtp: MailServer) -> None:
    smtp.answers = {"AUTH": "535 5.7.8 wrong password"}
    with pytest.raises(Rejected, match="535"):
        await _send(smtp, username="anna", password="nope")


async def test_a_recipient_that_is_refused_does_not_cost_the_others(smtp: MailServer) -> None:
    smtp.refused = {"ops@example.com": "550 no such user"}
    assert await _send(smtp) == "accepted, but refused for ops@example.com"
    assert smtp.mails[0].recipients == ["anna@example.org"]


async def test_where_one_of_those_refused_may_be_served_later_it_is_tried_again(smtp: MailServer) -> None:
    smtp.refused = {"ops@example.com": "550 no such user", "anna@example.org": "450 mailbox busy"}
    with pytest.raises(Unavailable, match="450"):
        await _send(smtp)


async def test_a_server_without_starttls_is_not_spoken_to_in_clear(smtp: MailServer) -> None:
    with pytest.raises(Rejected, match="STARTTLS"):
        await _send(smtp, security="starttls")
    assert smtp.mails == []


async def test_a_server_that_does_not_answer_is_tried_again(
    smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    smtp.silent = True
    monkeypatch.setattr(Driver, "timeout", 0.2)
    with pytest.raises(Unavailable):
        await _send(smtp)


async def test_a_server_that_is_not_there_is_tried_again(unused_tcp_port: int) -> None:
    with pytest.raises(Unavailable, match="refused"):
        await Driver(_config(unused_tcp_port)).send(message(), Client())


async def test_the_outbound_guard_holds(smtp: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await _send(smtp)


@pytest.mark.parametrize("field", ["sender", "to"])
@pytest.mark.parametrize(
    "value", ["", "nobody", "a@b@c", "a b@example.com", "x@example.com\nBcc: y@example.com", "@x"]
)
def test_addresses_that_are_none_are_refused_with_the_config(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        _config(**{field: value})


async def test_who_did_it_who_is_on_it_and_why_it_comes_this_way_stand_in_it(smtp: MailServer) -> None:
    told = message(kind="acknowledged", status="acknowledged", actor="Ada", owner="Ada", note="third try")
    await _send(smtp, told)
    await _send(smtp, message(kind="resolved", owner="Ada"))
    for kind in ("plain", "html"):
        first, last = (mail.part(kind) for mail in smtp.mails)
        for part in ("Acknowledged by Ada", "is on it", "third try", "2026-11-21 12:00 UTC"):
            assert part in first
        assert "is on it" not in last, "nobody need be on what is over"


async def test_a_digest_holds_what_it_stands_for(smtp: MailServer) -> None:
    folded = message(
        kind="digest", title="37 messages", alerts=[], opened_at=None, findings=["12 of HighCPU"]
    )
    await _send(smtp, folded)
    for kind in ("plain", "html"):
        assert "37 messages" in smtp.mails[0].part(kind)
        assert "12 of HighCPU" in smtp.mails[0].part(kind)


async def test_a_templates_words_stand_in_the_place_of_ours(smtp: MailServer) -> None:
    await _send(smtp, message(subject="CPU <b>", body="Look at\n<i>web-1</i>."))
    [mail] = smtp.mails
    assert mail.message["Subject"] == "CPU <b>"
    assert "Look at\n<i>web-1</i>." in mail.part("plain")
    assert "Look at\n&lt;i&gt;web-1&lt;/i&gt;." in mail.part("html")
    assert "CPU at 97 %" not in mail.part("plain").partition("Open in Tocsin")[0]


@pytest.mark.parametrize(
    ("kind", "severity", "colour"),
    [
        ("firing", "critical", "#b3261e"), ("firing", "other", "#57606a"),
        ("resolved", "critical", "#1c7a44"), ("acknowledged", "critical", "#57606a"),
    ],
)  # fmt: skip
async def test_the_colour_tells_the_severity_and_what_is_over(
    smtp: MailServer, kind: str, severity: str, colour: str
) -> None:
    await _send(smtp, message(kind=kind, severity=severity))
    assert f"border-top:6px solid {colour}" in smtp.mails[0].part("html")


async def test_a_link_that_is_none_is_left_out(smtp: MailServer) -> None:
    await _send(smtp, message(runbook="javascript:alert(1)", logs="https://logs.example.com/?q=a b"))
    assert "javascript:" not in smtp.mails[0].part("html")


def test_a_storm_of_labels_stays_below_what_mail_programs_cut() -> None:
    labels = {f"label_{n}": "x" * 4000 for n in range(60)}
    large = alert(labels=labels, annotations={"summary": "y" * 100_000})
    made = compose(message(alerts=[large] * 20, more_alerts=3), _config()).get_body(("html",))
    assert made is not None
    assert len(made.get_content()) < 102_400
    assert "… and 13 more" in made.get_content()


def test_a_long_title_makes_a_short_subject() -> None:
    assert len(compose(message(title="x" * 5000), _config())["Subject"]) <= 200
