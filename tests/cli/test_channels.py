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
