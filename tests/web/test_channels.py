"""Channels, added by a form that each driver's Config makes, tried, paused, removed; their dead letters."""

from datetime import timedelta

import pytest
from django.test import Client

from tests.fakes.receiver import Receiver
from tests.statements import counted
from tests.web import rows
from tests.web.markup import Page, open_page, read
from tests.world import World
from tocsin.core import clock
from tocsin.notify import services
from tocsin.notify.drivers import drivers
from tocsin.notify.models import ChannelPace, Delivery, DriverTemplates, NotificationChannel
from tocsin.notify.setup import Setup, setup_of
from tocsin.web.channel_form import PREFIX
from tocsin.web.views.deliveries import DEAD_SHOWN

HOUR = timedelta(hours=1)
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
    assert "There is already a channel named" in add(alice, **GIVEN["webhook"])
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


def test_a_test_speaks_by_the_channels_templates(alice: Client, receiver: Receiver) -> None:
    channel = rows.channel("on-call", url=receiver.url)
    services.put_templates(driver="webhook", subject="By the driver", body="")
    alice.post(f"/channels/{channel.pk}/test/")
    NotificationChannel.objects.update(subject_template="Is {{ title }}")
    alice.post(f"/channels/{channel.pk}/test/")
    assert [sent.json["subject"] for sent in receiver.received] == [
        "By the driver",
        "Is Test message from Tocsin",
    ]


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


def edit(browser: Client, channel: NotificationChannel, **given: str) -> str:
    """Fill the form in that changes a channel; return the page that follows."""
    answer = browser.post(
        f"/channels/{channel.pk}/edit/", {"channel_name": channel.name} | given, follow=True
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_no_config_has_a_field_that_the_form_has_besides() -> None:
    ours = {f"{PREFIX}{name}" for name in ("name", *Setup.__struct_fields__)}
    for driver in drivers.names():
        assert not ours & set(drivers.get(driver).Config.model_fields)


@pytest.mark.parametrize("driver", sorted(GIVEN))
def test_changed_while_its_secrets_stay(driver: str, alice: Client) -> None:
    add(alice, driver, **GIVEN[driver])
    channel = NotificationChannel.objects.get()
    page = open_page(alice, f"/channels/{channel.pk}/edit/")
    assert SECRET not in str(page.elements) + page.text
    plain = {name: value for name, value in GIVEN[driver].items() if SECRET not in value}
    shown = {a["name"]: a.get("value") for _, a in page.elements if a.get("name") in plain}
    assert shown == {**plain, **{name: None for name in ("security",) if name in plain}}
    assert "Channel loud saved" in edit(alice, channel, **plain, channel_name="loud", channel_per_minute="5")
    changed = NotificationChannel.objects.get()
    assert (changed.name, changed.per_minute) == ("loud", 5)
    assert {name: str(changed.config[name]) for name in GIVEN[driver]} == GIVEN[driver]
    edit(
        alice,
        changed,
        **{name: f"{value}2" if value == SECRET else value for name, value in GIVEN[driver].items()},
    )
    assert SECRET not in open_page(alice, "/channels/").text


def test_its_set_up(alice: Client) -> None:
    rows.channel("spare")
    channel = rows.channel("chat", "slack", bot_token="xoxb-1", channel_id="C1")
    given = {
        "channel_mode": "thread", "channel_per_minute": "1.5", "channel_digest_above": "0",
        "channel_fallback": "spare", "channel_subject_template": "{{ title }}",
        "channel_body_template": "a\r\n{{ text }}", "channel_id": "C1",
    }  # fmt: skip
    edit(alice, channel, **given)
    channel.refresh_from_db()
    assert setup_of(channel) == Setup("thread", 1.5, 0, "spare", False, "{{ title }}", "a\n{{ text }}")
    text = " ".join(open_page(alice, "/channels/").text.split())
    for told in (
        "One message an incident, what follows are answers", "at most 1.5 a minute", "never folded",
        "fallback spare", "not told when it is over", "own templates",
    ):  # fmt: skip
        assert told in text, told
    page = open_page(alice, f"/channels/{channel.pk}/edit/")
    assert len([tag for tag, a in page.elements if tag == "details" and "open" in a]) == 2


@pytest.mark.parametrize(
    ("given", "marked", "said"),
    [
        ({"channel_per_minute": "0"}, "channel_per_minute", "It must be above 0"),
        ({"channel_digest_above": "-1"}, "channel_digest_above", "greater than or equal to 0"),
        ({"channel_mode": "edit"}, None, "saved"),
        ({"channel_fallback": "chat"}, "channel_fallback", "Select a valid choice"),
        (
            {"channel_body_template": "x\n{{ titel }}"},
            "channel_body_template",
            "There is no 'titel' (line 2).",
        ),
        ({"channel_subject_template": "{% if"}, "channel_subject_template", "(line 1)"),
        ({"channel_name": "other"}, "channel_name", "There is already a channel named"),
        ({"url": "ftp://x"}, "url", "http:// or https://"),
    ],
)
def test_a_wrong_set_up_is_told_at_its_field(
    given: dict[str, str], marked: str | None, said: str, alice: Client
) -> None:
    rows.channel("other")
    channel = rows.channel("chat", url="https://hooks.example/")
    page = read(alice.post(f"/channels/{channel.pk}/edit/", {
        "channel_name": "chat", "url": "https://hooks.example/", **given
    }, follow=True))  # fmt: skip
    assert said in page.text
    assert [a["name"] for _, a in page.elements if "aria-invalid" in a] == [marked] * bool(marked)
    assert page.can_run() == []


def test_one_that_is_gone_or_has_no_driver(alice: Client) -> None:
    assert alice.get("/channels/1/edit/").status_code == 404
    path = f"/channels/{rows.channel('x', 'pigeon').pk}/edit/"
    assert alice.get(path).status_code == 404
    assert path not in open_page(alice, "/channels/").attributes("href")


def test_one_that_fails_says_since_when(alice: Client) -> None:
    channel = rows.channel("hook")
    ChannelPace.objects.create(
        channel=channel, failing_since=rows.NOW, last_error="HTTP 503: later", paused_until=clock.now() + HOUR
    )
    text = open_page(alice, "/channels/").text
    assert "failing" in text and "paused" in text and "HTTP 503: later" in text and "tried again" in text


def preview(browser: Client, **given: str) -> Page:
    answer = browser.post("/channels/preview/", given)
    assert answer.status_code == 200
    return read(answer)


def test_templates_are_tried_while_they_are_typed(alice: Client, world: World) -> None:
    world.channel()
    world.fire("Disk<b>Full</b>", severity="critical")
    world.work()
    channel = NotificationChannel.objects.get()
    page = open_page(alice, f"/channels/{channel.pk}/edit/")
    assert "firing: Disk<b>Full</b> on web-1" in page.text
    key = Delivery.objects.get().pk
    shown = preview(alice, message=key, channel_subject_template="{{ severity }}: {{ title }}")
    assert "critical: Disk<b>Full</b> on web-1" in shown.text
    assert ("b", {}) not in shown.elements, "what alerts say is text"
    wrong = preview(alice, message=key, channel_body_template="a\n{{ titel }}")
    assert "There is no 'titel' (line 2)" in wrong.text and "[FIRING]" in wrong.text
    for key in ("", "nonsense", "\0", "1" * 900):
        assert "Test message from Tocsin" in preview(alice, message=key).text


def test_templates_of_a_driver(alice: Client) -> None:
    rows.channel("hook")
    assert "in use" in open_page(alice, "/channels/templates/").text
    path = "/channels/templates/webhook/"
    assert "hook" in open_page(alice, path).text
    answer = alice.post(
        path, {"channel_subject_template": "{{ title }}", "channel_body_template": ""}, follow=True
    )
    assert "has templates" in answer.content.decode()
    assert DriverTemplates.objects.get().subject_template == "{{ title }}"
    wrong = read(alice.post(path, {"channel_subject_template": "{{ titel }}"}))
    assert "There is no 'titel' (line 1)." in wrong.text
    alice.post(path, {"channel_subject_template": "", "channel_body_template": ""})
    assert not DriverTemplates.objects.exists()
    assert alice.get("/channels/templates/pigeon/").status_code == 404


def test_all_dead_letters_are_sent_again_also_those_not_shown(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "REQUEUED_AT_ONCE", 40)
    channel = rows.channel()
    for _ in range(DEAD_SHOWN + 2):
        rows.delivery(channel)
    assert f"Send all {DEAD_SHOWN + 2} again" in open_page(alice, "/deliveries/dead/").text
    answer = alice.post("/deliveries/dead/send/", {"all": "1"}, follow=True)
    assert f"{DEAD_SHOWN + 2} on the way again" in answer.content.decode()


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_who_sends_again_stays_here(to: str, alice: Client) -> None:
    assert alice.post("/deliveries/dead/send/", {"next": to})["Location"] == "/deliveries/dead/"
