"""A mail as an alert: what subjects of monitoring tools mean, and mails that are broken."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.listeners import mail
from tocsin.core.errors import Rejected

CORPUS: Final = Path(__file__).parents[3].parent / "shared" / "corpus"


def told(subject: str, text: str = "", **headers: str) -> AlertEvent:
    message = EmailMessage()
    message["Subject"], message["From"] = subject, headers.pop("sender", "Monitoring <mon@example.com>")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    (event,) = keep_good(mail.read(bytes(message))).alerts
    return event


# What began, what ended it, and the severity of the first.
PAIRS: Final = [
    ("[FIRING:1] HighCPU prod web-3 warning", "[RESOLVED] HighCPU prod web-3 warning", "warning"),
    ("[FIRING:2] HighCPU prod", "[RESOLVED:2] HighCPU prod", "warning"),
    ("[Alerting] Disk full", "[OK] Disk full", "warning"),
    ("[No Data] Disk full", "[OK] Disk full", "warning"),
    ("** PROBLEM Service Alert: web-1/HTTP is CRITICAL **",
     "** RECOVERY Service Alert: web-1/HTTP is OK **", "critical"),
    ("** PROBLEM Host Alert: web-1 is DOWN **", "** RECOVERY Host Alert: web-1 is UP **", "critical"),
    ("[PROBLEM] HTTP on web-1 is WARNING!", "[RECOVERY] HTTP on web-1 is OK!", "warning"),
    ("Problem: High CPU utilization on web-1", "Resolved in 5m 2s: High CPU utilization on web-1", "warning"),
    ("Problem: Service is down", "Resolved: Service is down", "critical"),
    ("[web shop] [🔴 Down] connect ECONNREFUSED", "[web shop] [✅ Up] 200 - OK", "critical"),
    ("DOWN | nightly backup", "UP | nightly backup", "critical"),
    ("Monitor is DOWN: web", "Monitor is UP: web (was down for 5 minutes)", "critical"),
    ("PingdomAlert DOWN: web (a.example) is DOWN", "PingdomAlert UP: web (a.example) is UP", "critical"),
    ("web changed from UP to DOWN", "web changed from DOWN to UP", "critical"),
    ("web-1: OK -> CRITICAL", "web-1: CRITICAL -> OK", "critical"),
    ("Alert for device rt-1 - Port down", "Device rt-1 recovered from Port down", "critical"),
    ("monit alert -- Connection failed nginx", "monit alert -- Connection succeeded nginx", "error"),
    ("vzdump backup status (pve): backup failed", "vzdump backup status (pve): backup successful", "error"),
    ("Incident #42 opened: queue is long", "Incident #42 closed: queue is long", "warning"),
    ("CPU at 97% on db-1", "Re: Resolved: CPU at 12.5 % on db-1", "warning"),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "recovery", "level"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_a_mail_of_recovery_ends_its_mail_of_a_problem(problem: str, recovery: str, level: str) -> None:
    begun, over = told(problem), told(recovery)
    assert (begun.status, over.status) == ("firing", "resolved")
    assert begun.fingerprint == over.fingerprint, (begun.labels, over.labels)
    assert begun.severity == level
    assert begun.name == problem


@pytest.mark.parametrize("subject", [
    "Connection closed by peer on web-1", "disk filling up", "Look up failed", "Backup of OKTA stopped",
    "Ticket was not closed", "Job not OK", "Alert: recovery mailbox full", "Backup unsuccessful",
    "Cron <root@web> /usr/bin/job", "** PROBLEM Host Alert: mail-recovery is DOWN **",
    "[web] [🔴 Down] 200 - OK, but a word is missing",
])  # fmt: skip
def test_in_doubt_it_is_a_problem(subject: str) -> None:
    assert told(subject).status == "firing"


def test_different_things_are_different_alerts() -> None:
    subjects = [
        "Disk full on a",
        "Disk full on b",
        "[x] [Down] y",
        "[z] [Down] y",
        "Load on a",
        "Host a is DOWN",
    ]
    found = {told(subject).fingerprint for subject in subjects}
    found |= {told(subjects[0], sender="other@example.com").fingerprint}
    assert len(found) == 7


def test_severity_moves_within_one_alert() -> None:
    warned, worse = told("WARNING: disk on a"), told("CRITICAL: disk on a")
    assert warned.fingerprint == worse.fingerprint
    assert (warned.severity, worse.severity) == ("warning", "critical")


def test_who_took_it_on() -> None:
    assert told("** ACKNOWLEDGEMENT Host Alert: web-1 is DOWN **").status == "acknowledged"


@pytest.mark.parametrize(("text", "status", "level"), [
    ("Host: web-1\nState: CRITICAL\n", "firing", "critical"),
    ("Host: web-1\n Status = OK", "resolved", "warning"),
    ("Trigger severity: High", "firing", "error"),
])  # fmt: skip
def test_where_the_subject_says_nothing_the_text_may(text: str, status: str, level: str) -> None:
    event = told("Message about web-1", text)
    assert (event.status, event.severity) == (status, level)


def test_a_subject_of_nothing_but_a_state_belongs_to_its_thread() -> None:
    begun = told("DOWN", Message_ID="<1@x>")
    over = told("UP", Message_ID="<2@x>", In_Reply_To="<1@x>", References="<1@x> <9@x>")
    other = told("UP", Message_ID="<3@x>", In_Reply_To="<7@x>")
    assert begun.fingerprint == over.fingerprint != other.fingerprint


def test_headers_of_a_tool_count_for_more_than_the_subject() -> None:
    host = {"X_Netdata_Host": "db-1", "X_Netdata_Chart": "disk.space", "X_Netdata_Alert_Name": "disk_full"}
    begun = told("db-1 needs attention", X_Netdata_Severity="critical", **host)
    over = told("db-1 recovered, at last", X_Netdata_Severity="clear", **host)
    assert (begun.status, begun.severity, over.status) == ("firing", "critical", "resolved")
    assert begun.fingerprint == over.fingerprint
    assert begun.labels["instance"] == "db-1"
    assert begun.labels["alertname"] == "disk_full"
    broken = told("Build failed in Jenkins: shop #12", X_Jenkins_Job="shop", X_Jenkins_Result="FAILURE")
    fixed = told("Jenkins build is back: shop #13", X_Jenkins_Job="shop", X_Jenkins_Result="SUCCESS")
    assert (broken.status, fixed.status, fixed.fingerprint) == ("firing", "resolved", broken.fingerprint)


def test_text_and_headers_are_kept() -> None:
    event = told("Load on a", "It is 12.\n\n\n\nSee there.", To="ops@example.com", Message_ID="<1@x>")
    assert event.labels == {"alertname": "Load a", "from": "mon@example.com"}
    assert event.annotations == {
        "summary": "Load on a",
        "description": "It is 12.\n\nSee there.",
        "to": "ops@example.com",
        "message_id": "<1@x>",
    }


def test_html_alone_is_read_as_people_see_it() -> None:
    page = (
        "<html><head><title>no</title><style>p {}</style></head><body><!-- > no --><p>Disk&nbsp;of <b>a</b>"
        "</p>&lt;full&gt;<br/>1 < 2<script>no()</script></body>"
    )
    lines = mail.without_markup(page).replace("\xa0", " ").split("\n")
    assert [line for line in lines if line] == ["Disk of a", "<full>", "1 < 2"]


def test_our_own_messages_do_not_go_in_circles() -> None:
    with pytest.raises(Rejected, match="in circles"):
        told("CRITICAL: x", X_Correlation_Id="abc", References="<incident-12@tocsin>")


def _cases() -> list[Any]:
    if not (CORPUS / "MANIFEST.json").exists():
        return []
    manifest = msgspec.json.decode((CORPUS / "MANIFEST.json").read_bytes())
    return [case for case in manifest["cases"] if case["source"] == mail.SOURCE]


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["case"])
def test_recorded_mails_are_read_as_expected(case: dict[str, Any]) -> None:
    (event,) = keep_good(mail.read((CORPUS / case["file"]).read_bytes())).alerts
    (expected,) = case["expected"]["alerts"]
    assert (event.name, event.status) == (expected["name"], expected["status"])
    assert (event.starts_at, event.ends_at) == (None, None)
    assert "style=" not in event.annotations["description"]
    assert "Sent by Alertmanager" in event.annotations["description"]


# Mails that are broken.

B: Final = b"Subject: x\r\nContent-Type: "


@pytest.mark.parametrize(("content", "name"), [
    (b"Subject: a\0b\r\n\r\nc\0d", "ab"),
    ("Subject: Störung\r\n\r\nx".encode(), "Störung"),
    ("Subject: Störung\r\n\r\nx".encode("latin-1"), "Störung"),
    (b"Subject: =?utf-8?q?St=C3=B6rung?= =?utf-8?b?w7Y=?=\r\n\r\n", "Störungö"),
    (b"Subject: =?no-such?q?a=FF?=\r\n\r\n", "aÿ"),
    (b"Subject: =?utf-8?b?abc?=\r\n\r\n", None),
    (b"Subject: =?punycode?q?abc-def?=\r\n\r\n", "abc-def"),
    (B + b"text/plain; charset=hex\r\n\r\nzz", "x"),
    (B + b"text/plain; charset*=idna''utf-8\r\n\r\n\xff", "x"),
    (B + b"multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nno end", "x"),
    (B + b"multipart/mixed\r\n\r\nno boundary", "x"),
    (B + b"text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!", "x"),
    (B + b"text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\xff", "x"),
    (b"From: " + b"(" * 900_000 + b"\r\nSubject: x\r\n\r\n", "x"),
    (b"no header at all", "no header at all"),
    (b"\r\n\r\nOnly a text\r\nof lines", "Only a text"),
])  # fmt: skip
def test_broken_mails_are_read_as_far_as_they_go(content: bytes, name: str | None) -> None:
    reading = keep_good(mail.read(content))
    assert reading.errors == []
    assert name in (None, reading.alerts[0].name)


@pytest.mark.parametrize("content", [b"", b"\r\n\r\n", b"Subject: \r\n\r\n \0", b"From: a@b\r\n\r\n"])
def test_a_mail_without_anything_is_refused(content: bytes) -> None:
    with pytest.raises(Rejected, match="neither a subject nor a text"):
        mail.read(content)


def test_parts_within_parts_have_an_end() -> None:
    nested = b"Subject: x\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000)
    )
    with pytest.raises(Rejected, match="parts within parts"):
        mail.read(nested)
    message = b"Subject: x\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 3000
    try:
        mail.read(message)
    except Rejected as refusal:
        assert "nested" in str(refusal)


@pytest.mark.parametrize(
    "page", ["<" * 400_000, "<!--" * 100_000, "<script>" * 60_000, "&" * 400_000, "<a " * 99_999]
)
def test_hostile_html_is_read_all_the_same(page: str) -> None:
    reading = mail.read(b"Subject: x\r\nContent-Type: text/html\r\n\r\n" + page.encode())
    assert [alert.name for alert in reading.alerts] == ["x"]


HEADERS = st.sampled_from(
    [
        "Subject",
        "From",
        "To",
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
        "References",
    ]
)
VALUES = st.sampled_from(
    ["multipart/mixed; boundary=x", "text/html; charset=utf-16", "base64", "quoted-printable", 
     "=?utf-8?b?=?=", "text/plain; charset=\"", "message/rfc822", "attachment; filename*0=", "[FIRING:1] a",
     "RESOLVED: a", "<>"]
)  # fmt: skip
LINES = st.tuples(HEADERS, VALUES | st.text(max_size=20)).map(lambda pair: f"{pair[0]}: {pair[1]}")
BODIES = st.binary(max_size=60) | st.sampled_from(
    [b"--x\r\n\r\na\r\n--x--", b"<p>a", b"=3D=\r\n", b"State: OK"]
)


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(LINES, max_size=5), body=BODIES)
def test_any_bytes_give_an_alert_or_a_refusal(lines: list[str], body: bytes) -> None:
    content = "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body
    try:
        reading = mail.read(content)
    except Rejected as refusal:
        assert str(refusal)
        return
    good = keep_good(reading)
    assert good.errors == []
    msgspec.json.encode(good.alerts[0])


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_whatever_give_an_alert_or_a_refusal(content: bytes) -> None:
    try:
        assert keep_good(mail.read(content)).errors == []
    except Rejected as refusal:
        assert str(refusal)
