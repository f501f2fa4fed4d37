"""Channels, added by a form that each driver's Config makes, tried, paused, removed; their dead letters."""

import pytest
from django.test import Client

from tests.fakes.receiver import Receiver
from tests.statements import counted
from tests.web import rows
from tests.web.markup import open_page, read
from tests.world import World
from tocsin.notify.drivers import drivers
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.web.views.channels import DEAD_SHOWN

SECRET = "s3cr3t-that-nobody-may-see"
GIVEN = {
    "webhook": {"url": "https://hooks.example/in", "secret": SECRET},
    "slack": {"webhook_url": f"https://hooks.slack.com/services/{SECRET}"},
    "email": {
        "smtp_host": "mail.example", "smtp_port": "2525", "security": "tls", "username": "ops",
        "password": SECRET, "sender": "Ops <ops@example.com>", "to": "a@example.com, b@example.com",
    },
}  # fmt: skip


def add(browser: Client, driver: str = "webhook", name: str = "on-call", **given: str) -> str:
    """Fill the form in; return the page that follows."""
    answer = browser.post(f"/channels/add/{driver}/", {"channel_name": name, **given}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_none_yet(alice: Client) -> None:
    page = open_page(alice, "/channels/")
    assert "No channel yet" in page.text
    for driver in drivers.names():
        assert f"/channels/add/{driver}/" in page.attributes("href")


@pytest.mark.parametrize("driver", drivers.names())
def test_the_form_asks_for_what_the_driver_needs(driver: str, alice: Client) -> None:
    page = open_page(alice, f"/channels/add/{driver}/")
    fields = drivers.get(driver).Config.model_fields
    assert set(fields) < set(page.attributes("name"))
    for info in fields.values():
        assert str(info.description) in page.text
    labelled = [a["for"] for tag, a in page.elements if tag == "label"]
    assert set(labelled) <= set(page.attributes("id")), "each label leads to its field"


@pytest.mark.parametrize("driver", sorted(GIVEN))
def test_added(driver: str, alice: Client) -> None:
    said = add(alice, driver, **GIVEN[driver])
    assert "Channel on-call added" in said
    channel = NotificationChannel.objects.get()
    assert (channel.name, channel.driver, channel.enabled) == ("on-call", driver, True)
    assert {name: str(channel.config[name]) for name in GIVEN[driver]} == GIVEN[driver]


@pytest.mark.parametrize("driver", sorted(GIVEN))
def test_secrets_are_in_no_page(driver: str, alice: Client) -> None:
    wrong = alice.post(f"/channels/add/{driver}/", {**GIVEN[driver], "channel_name": ""})
    assert "This field is required" in wrong.content.decode()
    assert SECRET not in wrong.content.decode(), "not even in the form it was typed into"
    add(alice, driver, **GIVEN[driver])
    channel = NotificationChannel.objects.get()
    rows.delivery(channel, incident=rows.incident(), last_error="refused")
    for path in (
        "/channels/", f"/channels/{channel.pk}/remove/", "/deliveries/dead/",
        "/admin/notify/notificationchannel/", f"/admin/notify/notificationchannel/{channel.pk}/change/",
    ):  # fmt: skip
        answer = alice.get(path)
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode(), path


@pytest.mark.parametrize(
    ("driver", "changed", "said"),
    [
        ("webhook", {"channel_name": ""}, "This field is required."),
        ("webhook", {"channel_name": "x" * 101}, "at most 100 characters"),
        ("webhook", {"channel_name": "a\0b"}, "Null characters are not allowed."),
        ("webhook", {"url": ""}, "This field is required."),
        ("webhook", {"url": "ftp://x"}, "It must begin with http:// or https://."),
        ("webhook", {"url": "javascript:alert(1)"}, "It must begin with http:// or https://."),
        ("email", {"to": "nobody"}, "expected addresses such as"),
        ("email", {"to": "a@example.com\nBcc: b@example.com"}, "expected addresses such as"),
        ("email", {"smtp_port": "many"}, "Enter a whole number."),
        ("email", {"smtp_port": "70000"}, "less than or equal to 65535"),
        ("email", {"security": "wishful"}, "Select a valid choice."),
        ("email", {"sender": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    driver: str, changed: dict[str, str], said: str, alice: Client
) -> None:
    given = {"channel_name": "on-call", **GIVEN[driver], **changed}
    answer = alice.post(f"/channels/add/{driver}/", given)
    page = read(answer)
    assert answer.status_code == 200
    assert said in page.text
    assert page.can_run() == []
    marked = [a["name"] for _, a in page.elements if "aria-invalid" in a]
    assert marked == [*changed]
    assert not NotificationChannel.objects.exists()


def test_what_is_wrong_with_several_fields_is_said_above_them(alice: Client) -> None:
    given = {"channel_name": "on-call", **GIVEN["email"], "smtp_host": ""}
    page = read(alice.post("/channels/add/email/", given))
    assert "give either smtp_host or sendgrid_api_key" in page.text
    assert not NotificationChannel.objects.exists()


def test_a_name_is_taken_once(alice: Client) -> None:
    add(alice, **GIVEN["webhook"])
    assert "there is already a channel named" in add(alice, **GIVEN["webhook"])
    assert NotificationChannel.objects.count() == 1


def test_what_is_left_empty_is_left_to_the_driver(alice: Client) -> None:
    add(alice, url="https://hooks.example/in", secret="")
    assert NotificationChannel.objects.get().config == {"url": "https://hooks.example/in"}


@pytest.mark.parametrize("driver", ["nonsense", "__init__", "..", "%00"])
def test_no_such_driver(driver: str, alice: Client) -> None:
    assert alice.get(f"/channels/add/{driver}/").status_code == 404


def test_paused_and_on_again(alice: Client) -> None:
    channel = rows.channel()
    alice.post(f"/channels/{channel.pk}/enable/")
    channel.refresh_from_db()
    assert not channel.enabled
    assert "disabled" in open_page(alice, "/channels/").text
    alice.post(f"/channels/{channel.pk}/enable/", {"on": "1"})
    channel.refresh_from_db()
    assert channel.enabled
    assert "disabled" not in open_page(alice, "/channels/").text


def test_removed_after_one_question(alice: Client) -> None:
    channel = rows.channel("on-call")
    rows.delivery(channel)
    assert "Remove on-call?" in open_page(alice, f"/channels/{channel.pk}/remove/").text
    assert NotificationChannel.objects.exists()
    answer = alice.post(f"/channels/{channel.pk}/remove/", follow=True)
    assert "Channel on-call removed" in answer.content.decode()
    assert not NotificationChannel.objects.exists()
    assert not Delivery.objects.exists()
    assert alice.get(f"/channels/{channel.pk}/remove/").status_code == 404


def test_a_test_is_sent_for_real(alice: Client, receiver: Receiver) -> None:
    channel = rows.channel("on-call", url=receiver.url)
    answer = alice.post(f"/channels/{channel.pk}/test/", follow=True)
    assert "on-call: sent. The receiver answered: HTTP 200" in answer.content.decode()
    (sent,) = receiver.received
    assert (sent.json["kind"], sent.json["title"]) == ("test", "Test message from Tocsin")


def test_what_the_receiver_has_against_it(alice: Client, receiver: Receiver) -> None:
    receiver.default.status, receiver.default.body = 410, b"<script>archived</script>"
    channel = rows.channel("on-call", url=receiver.url)
    page = read(alice.post(f"/channels/{channel.pk}/test/", follow=True))
    assert "on-call: HTTP 410: <script>archived</script>" in page.text
    assert page.can_run() == []


@pytest.mark.parametrize(
    ("driver", "config", "said"),
    [
        ("webhook", {"url": "http://10.0.0.1/"}, "TOCSIN_OUTBOUND_ALLOW"),
        ("webhook", {"url": "http://127.0.0.1:1/"}, "cannot connect"),
        ("webhook", {}, "url: Field required"),
        ("gone", {"token": SECRET}, "gone"),
    ],
)
def test_a_test_that_cannot_be_sent(driver: str, config: dict[str, str], said: str, alice: Client) -> None:
    channel = rows.channel("on-call", driver, **config)
    answer = alice.post(f"/channels/{channel.pk}/test/", follow=True)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert SECRET not in answer.content.decode()


def test_how_each_fares(alice: Client) -> None:
    good, bad = rows.channel("good"), rows.channel("bad")
    rows.channel("idle")
    rows.delivery(good, Delivery.SENT, sent_at=rows.NOW)
    for _ in range(2):
        rows.delivery(bad, last_error="HTTP 410: archived")
    text = open_page(alice, "/channels/").text
    assert "2 dead letters" in text and "HTTP 410: archived" in text
    assert "No delivery lately" in text.partition("idle")[2]


def test_a_long_list_costs_no_more(alice: Client) -> None:
    rows.delivery(rows.channel("first"))
    with counted() as few:
        open_page(alice, "/channels/")
    for number in range(20):
        rows.delivery(rows.channel(f"channel-{number}"))
    with counted() as many:
        open_page(alice, "/channels/")
    assert len(many) == len(few) <= 6, many


def test_dead_letters_are_sent_again(alice: Client, world: World) -> None:
    world.channel("on-call")
    world.receiver.default.status = 410
    world.fire()
    world.fire("DiskFull")
    world.work()
    page = open_page(alice, "/deliveries/dead/")
    assert "HTTP 410" in page.text and "HighCPU on web-1" in page.text
    world.receiver.default.status = 200
    world.receiver.received.clear()
    chosen = {a["value"] for _, a in page.elements if a.get("name") == "delivery"}
    assert len(chosen) == 2
    answer = alice.post("/deliveries/dead/send/", {"delivery": sorted(chosen)}, follow=True)
    assert "2 on the way again" in answer.content.decode()
    assert "No dead letters" in answer.content.decode()
    world.forward(minutes=30 * 24 * 60)  # its clock stands in another year than the page's
    assert sorted(message["title"] for message in world.sent) == ["DiskFull on web-1", "HighCPU on web-1"]
    assert {delivery.state for delivery in Delivery.objects.all()} == {Delivery.SENT}


@pytest.mark.parametrize("given", [[], ["nonsense"], ["\0"], ["x" * 5000], ["1"] * 900])
def test_what_is_no_dead_letter(given: list[str], alice: Client) -> None:
    sent = rows.delivery(rows.channel(), Delivery.SENT)
    answer = alice.post("/deliveries/dead/send/", {"delivery": [*given, sent.pk]}, follow=True)
    assert "Nothing to send again" in answer.content.decode()
    sent.refresh_from_db()
    assert sent.state == Delivery.SENT


def test_only_the_newest_of_very_many(alice: Client) -> None:
    channel, incident = rows.channel(), rows.incident()
    for _ in range(DEAD_SHOWN + 1):
        rows.delivery(channel, incident=incident)
    with counted() as asked:
        text = open_page(alice, "/deliveries/dead/").text
    assert "there are more" in text
    assert len(asked) <= 5, asked
