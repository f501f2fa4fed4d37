"""Messages by command: listed, shown, and dead letters sent again."""

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.web import rows
from tocsin.notify.models import Delivery

pytestmark = pytest.mark.django_db

FAILED = [{"at": "2026-11-21T12:00:00+00:00", "took_ms": 12.5, "error": "HTTP 503: later"}]


def test_listed_and_shown() -> None:
    chat, mail = rows.channel("chat"), rows.channel("mail")
    dead = rows.delivery(chat, incident=rows.incident(), last_error="HTTP 410: gone", failures=FAILED)
    digest = rows.delivery(mail, Delivery.SENT, kind="digest", answer="HTTP 200")
    folded = rows.delivery(mail, Delivery.FOLDED, folded_into=digest.pk, answer="a digest says it")
    listed = tocsin_json("delivery", "list")["deliveries"]
    assert [one["id"] for one in listed] == sorted((dead.pk, digest.pk, folded.pk), reverse=True)
    for arguments, only in (
        (("--state", "dead"), dead), (("--channel", "chat"), dead), (("--limit", "1"), folded),
        (("--incident", str(dead.incident_id)), dead),
    ):  # fmt: skip
        (one,) = tocsin_json("delivery", "list", *arguments)["deliveries"]
        assert one["id"] == only.pk
    assert "HTTP 410: gone" in tocsin("delivery", "list")
    told = tocsin("delivery", "show", dead.pk)
    assert "firing to chat (webhook)" in told and "12.5 ms" in told and "HTTP 503: later" in told
    assert f"folded into {digest.pk}" in tocsin("delivery", "show", folded.pk)
    assert tocsin_json("delivery", "show", digest.pk)["holds"] == 1
    assert "There is none." in tocsin("delivery", "list", "--state", "retrying")


def test_sent_again() -> None:
    dead = [rows.delivery(rows.channel(name)).pk for name in ("chat", "mail", "page")]
    assert tocsin_json("delivery", "resend", dead[0], "nonsense") == {"resent": 1}
    assert tocsin_json("delivery", "resend", "--dead", "--channel", "mail") == {"resent": 1}
    assert "On the way again: 1." in tocsin("delivery", "resend", "--dead")
    assert not Delivery.objects.filter(state=Delivery.DEAD).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nope"), "there is no delivery nope"),
        (("list", "--channel", "nope"), "there is no channel named 'nope'"),
        (("resend",), "name the deliveries to send again, or all of them with --dead"),
        (("resend", "x", "--dead"), "name the deliveries"),
    ],
)
def test_what_cannot_be_done(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        tocsin("delivery", *arguments)
