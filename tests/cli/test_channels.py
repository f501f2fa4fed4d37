"""Channels and their drivers by command."""

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.fakes.receiver import Receiver
from tocsin.notify.models import Delivery, NotificationChannel

pytestmark = pytest.mark.django_db


def add(receiver: Receiver, *more: str) -> None:
    tocsin("channel", "add", "hook", "--driver", "webhook", "--set", f"url={receiver.url}", *more)


def test_add_list_test_remove(receiver: Receiver) -> None:
    assert "nobody is told of anything" in tocsin("channel", "list")
    add(receiver, "secret=s3cret")
    channel = NotificationChannel.objects.get()
    assert channel.config == {"url": receiver.url, "secret": "s3cret"}

    told = tocsin("channel", "list")
    assert "hook" in told and receiver.url in told and "secret=••••••" in told
    (listed,) = tocsin_json("channel", "list")["channels"]
    assert listed["config"]["secret"] == "••••••"

    assert "the receiver said: HTTP 200" in tocsin("channel", "test", "hook")
    assert receiver.received[0].json["kind"] == "test"
    assert receiver.received[0].headers["x-tocsin-signature"].startswith("sha256=")

    assert tocsin_json("channel", "remove", "hook") == {"removed": "hook"}
    assert not NotificationChannel.objects.exists()


def test_settings_one_by_one(receiver: Receiver) -> None:
    add(receiver, "--set", "secret=a=b")
    assert NotificationChannel.objects.get().config["secret"] == "a=b"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--driver", "slak"), "there is no driver 'slak'; known: .*slack"),
        (("--driver", "webhook"), "webhook: url: Field required"),
        (("--driver", "webhook", "--set", "uri=x"), "webhook has no setting 'uri'; it has url, secret"),
        (("--driver", "webhook", "--set", "url"), "'url' is not of the form key=value"),
        (("--driver", "webhook", "--set", "url=ftp://x"), "url: String should match pattern"),
        (("--driver", "email", "--set", "smtp_port=x", "smtp_host=h", "sender=a@b", "to=c@d"), "smtp_port"),
    ],
)
def test_what_cannot_be_added(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        tocsin("channel", "add", "x", *arguments)
    assert not NotificationChannel.objects.exists()


def test_names_that_are_taken_or_unknown(receiver: Receiver) -> None:
    add(receiver)
    with pytest.raises(CommandError, match="already a channel named 'hook'"):
        add(receiver)
    for action in ("test", "remove"):
        with pytest.raises(CommandError, match="no channel named 'nope'"):
            tocsin("channel", action, "nope")


def test_a_channel_whose_driver_is_gone_is_listed_without_secrets(receiver: Receiver) -> None:
    add(receiver, "secret=s3cret")
    NotificationChannel.objects.update(driver="acme")
    assert tocsin_json("channel", "list")["channels"][0]["config"] == {"url": "••••••", "secret": "••••••"}


def test_drivers_and_their_settings() -> None:
    assert "Posts the message as JSON." in tocsin("list_notify_drivers")
    told = tocsin("list_notify_drivers", "--verbose")
    assert "starttls | tls | none starttls How to encrypt" in " ".join(told.split())
    found = {driver["name"]: driver for driver in tocsin_json("list_notify_drivers")}
    fields = {field["name"]: field for field in found["email"]["fields"]}
    assert fields["smtp_port"]["default"] == "587"
    assert fields["password"] == {
        "name": "password", "type": "secret", "required": False, "default": "", "secret": True,
        "description": "Password of that user",
    }  # fmt: skip


def test_a_driver_with_settings_given_on_the_spot(receiver: Receiver) -> None:
    found = tocsin_json("test_notify", "webhook", "--url", receiver.url, "--secret", "x")
    assert found == {"driver": "webhook", "channel": "", "answer": "HTTP 200"}
    receiver.default.body = b"ok"
    assert tocsin_json("test_notify", "slack", "--webhook-url", receiver.url)["driver"] == "slack"
    assert [received.json.get("kind", "slack") for received in receiver.received] == ["test", "slack"]
    assert not NotificationChannel.objects.exists()
    assert not Delivery.objects.exists()


def test_a_stored_channel(receiver: Receiver) -> None:
    add(receiver)
    assert "went to channel hook (webhook)" in tocsin("test_notify", "--channel", "hook")


def test_a_test_that_fails_says_why(receiver: Receiver) -> None:
    receiver.default.status, receiver.default.body = 403, b"bad token"
    with pytest.raises(CommandError, match="HTTP 403: bad token"):
        tocsin("test_notify", "webhook", "--url", receiver.url)
    with pytest.raises(CommandError, match="name a driver"):
        tocsin("test_notify")
    with pytest.raises(CommandError, match="slack has no setting 'url'; it has webhook_url"):
        tocsin("test_notify", "slack", "--url", receiver.url)


def test_set_up_and_changed(receiver: Receiver) -> None:
    add(receiver, "secret=s3cret", "--per-minute", "30", "--no-send-resolved", "--subject", "{{ title }}")
    tocsin("channel", "add", "other", "--driver", "webhook", "--set", f"url={receiver.url}")
    (hook, _) = tocsin_json("channel", "list")["channels"]
    assert (hook["setup"]["per_minute"], hook["setup"]["send_resolved"]) == (30, False)
    changed = tocsin_json(
        "channel", "set", "hook", "--name", "loud", "--fallback", "other", "--per-minute", "",
        "--digest-above", "50", "--send-resolved", "--body", "{{ text }}", "--set", "secret=new",
    )["changed"]  # fmt: skip
    assert (changed["name"], changed["config"]["secret"]) == ("loud", "••••••")
    assert changed["setup"] == {
        "mode": "", "per_minute": None, "digest_above": 50, "fallback": "other", "send_resolved": True,
        "subject_template": "{{ title }}", "body_template": "{{ text }}",
    }  # fmt: skip
    assert NotificationChannel.objects.get(name="loud").config == {"url": receiver.url, "secret": "new"}
    told = tocsin("channel", "list")
    assert "fallback=other" in told and "subject_template=…" in told
    tocsin("channel", "set", "loud", "--subject", "", "--set", "secret=")
    assert NotificationChannel.objects.get(name="loud").config["secret"] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mode", "thread"), "mode: webhook has no mode 'thread'; it has new"),
        (("--per-minute", "many"), "per_minute: 'many' is no number"),
        (("--digest-above", "1.5"), "digest_above: '1.5' is no number"),
        (("--fallback", "hook"), "fallback: a channel cannot stand in for itself"),
        (("--body", "{{"), "body_template: not a template"),
        (("--set", "uri=x"), "webhook has no setting 'uri'"),
    ],
)
def test_what_cannot_be_changed(receiver: Receiver, arguments: tuple[str, ...], said: str) -> None:
    add(receiver)
    with pytest.raises(CommandError, match=said):
        tocsin("channel", "set", "hook", *arguments)
    with pytest.raises(CommandError, match="there is no channel named 'nope'"):
        tocsin("channel", "set", "nope", *arguments)
