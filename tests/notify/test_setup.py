"""Channels that are made and changed, and what is refused then; templates of drivers; dead letters."""

from typing import Any

import pytest

from tests.web import rows
from tocsin.core.errors import Rejected, Unknown
from tocsin.notify import services
from tocsin.notify.models import Delivery, DriverTemplates, NotificationChannel
from tocsin.notify.setup import Setup, Wrong, setup_of
from tocsin.notify.written import FIELDS, Written, fields_of

pytestmark = pytest.mark.django_db

URL = "https://hooks.slack.com/services/T0/B0/s3cret"


def add(name: str = "chat", driver: str = "slack", **setup: Any) -> NotificationChannel:
    given = (
        {"webhook_url": URL} if driver == "slack" else {"url": "https://hooks.example/", "secret": "s3cret"}
    )
    return services.add_channel(name=name, driver=driver, given=given, setup=Setup(**setup), now=rows.NOW)


def change(
    channel: NotificationChannel, given: dict[str, Any] | None = None, **setup: Any
) -> NotificationChannel:
    config = services.masked(channel) | (given or {})
    return services.change_channel(
        channel_id=channel.pk, name=channel.name, given=config, setup=Setup(**setup)
    )


def test_a_channel_has_all_that_is_said_of_it() -> None:
    add("mail-room")
    asked = {
        "mode": "new", "per_minute": 0.5, "digest_above": 0, "fallback": "mail-room", "send_resolved": False,
        "subject_template": "{{ title }}", "body_template": "{% for a in alerts %}{{ a.name }}{% endfor %}",
    }  # fmt: skip
    made = NotificationChannel.objects.get(pk=add(**asked).pk)
    assert setup_of(made) == Setup(**asked)


def test_dots_stand_for_the_secret_that_was_there() -> None:
    channel = add("hook", "webhook")
    assert services.masked(channel)["secret"] == "••••••"
    changed = change(channel, {"url": "https://other.example/"})
    assert changed.config == {"url": "https://other.example/", "secret": "s3cret"}
    assert change(channel, {"secret": "new"}).config["secret"] == "new"


@pytest.mark.parametrize(
    ("setup", "field", "why"),
    [
        ({"mode": "thread"}, "mode", "webhook has no mode 'thread'; it has new"),
        ({"per_minute": 0}, "per_minute", "above 0"),
        ({"per_minute": float("nan")}, "per_minute", "above 0"),
        ({"digest_above": -1}, "digest_above", "0 to 1,000,000"),
        ({"fallback": "nobody"}, "fallback", "there is no channel named 'nobody'"),
        ({"fallback": "\0"}, "fallback", "there is no channel"),
        ({"subject_template": "{{ title"}, "subject_template", r"not a template: .* \(line 1\)"),
        ({"body_template": "a\n{{ nothing }}"}, "body_template", r"there is no 'nothing' \(line 2\)"),
        ({"body_template": "x" * 20_001}, "body_template", "longer than 20000"),
    ],
)
def test_what_is_refused_is_told_with_its_field(setup: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(Wrong, match=why) as added:
        add("hook", "webhook", **setup)
    assert added.value.field == field
    channel = add("hook", "webhook")
    with pytest.raises(Wrong, match=why):
        change(channel, **setup)
    assert setup_of(NotificationChannel.objects.get()) == Setup()


def test_nobody_stands_in_for_itself_nor_in_a_circle() -> None:
    first, second, third = add("first"), add("second", fallback="first"), add("third", fallback="second")
    with pytest.raises(Wrong, match="cannot stand in for itself"):
        change(first, fallback="first")
    with pytest.raises(Wrong, match="third leads back to this channel"):
        change(first, fallback="third")
    assert change(third, fallback="first").fallback == first
    assert change(second).fallback is None


def test_names() -> None:
    channel = add()
    for name in ("", " chat", "a\nb", "x" * 101, "a\0"):
        with pytest.raises(Wrong, match="printable"):
            add(name)
    with pytest.raises(Wrong, match="already a channel named 'chat'"):
        add()
    add("other")
    with pytest.raises(Wrong, match="already a channel named 'other'"):
        services.change_channel(
            channel_id=channel.pk, name="other", given={"webhook_url": URL}, setup=Setup()
        )
    with pytest.raises(Unknown):
        services.change_channel(channel_id=0, name="other", given={}, setup=Setup())


def test_templates_of_a_driver() -> None:
    services.put_templates(driver="slack", subject="{{ severity }}", body="")
    services.put_templates(driver="slack", subject="{{ title }}", body="")
    assert DriverTemplates.objects.get().subject_template == "{{ title }}"
    with pytest.raises(Wrong, match="subject_template"):
        services.put_templates(driver="slack", subject="{{ titel }}", body="")
    services.put_templates(driver="slack", subject="", body="")
    assert not DriverTemplates.objects.exists()


def test_what_templates_may_look_at_is_told() -> None:
    assert FIELDS.keys() == fields_of(services.test_message(rows.NOW, "t")).keys()


@pytest.mark.parametrize(
    ("subject", "body", "headline", "lines", "problems"),
    [
        ("", "", "[TEST] Test message from Tocsin", "TestAlert", {}),
        (
            "{{ severity }}: {{ title }}",
            "{{ headline }}",
            "info: Test message from Tocsin",
            "[TEST] Test",
            {},
        ),
        ("{{", "fine", "[TEST] Test message from Tocsin", "fine", {"subject": "(line 1)"}),
        ("ok", "a\nb{{ labels.team }}", "ok", "TestAlert", {"body": "no attribute 'team' (line 2)"}),
        ("{{ titel }}", "", "[TEST]", "", {"subject": "there is no 'titel' (line 1)"}),
    ],
)
def test_a_preview(subject: str, body: str, headline: str, lines: str, problems: dict[str, str]) -> None:
    shown = Written(subject, body).preview(services.test_message(rows.NOW, "t"))
    assert shown.headline.startswith(headline)
    assert lines in "\n".join(shown.lines)
    assert shown.problems.keys() == problems.keys()
    assert all(why in shown.problems[field] for field, why in problems.items())


def test_all_dead_letters_are_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "REQUEUED_AT_ONCE", 2)
    first, second = rows.channel("first"), rows.channel("second")
    for channel in (first, second):
        for _ in range(3):
            rows.delivery(channel)
    rows.delivery(first, Delivery.SENT)
    with pytest.raises(Unknown):
        services.requeue_all(channel="third", now=rows.NOW)
    assert services.requeue_all(channel="first", now=rows.NOW) == 3
    assert services.requeue_all(now=rows.NOW) == 3
    assert services.requeue_all(now=rows.NOW) == 0
    assert Delivery.objects.filter(state="pending", due_at=rows.NOW).count() == 6


def test_more_chosen_ones_than_a_statement_takes() -> None:
    keys = [rows.delivery(rows.channel()).pk, *(f"k{number}" for number in range(1_200))]
    assert services.requeue(delivery_ids=keys, now=rows.NOW) == 1


def test_a_wrong_config_is_refused_by_its_field() -> None:
    channel = add("hook", "webhook")
    with pytest.raises(Rejected, match="webhook: url"):
        change(channel, {"url": "ftp://x"})
