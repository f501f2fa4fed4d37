"""The admin: every record is there to be looked at, and none tells a secret."""

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from tests.statements import counted
from tests.web import rows
from tests.web.markup import open_page
from tests.world import World
from tocsin.accounts import services as accounts
from tocsin.accounts.models import ApiKey, SignInLink
from tocsin.alerts import sources
from tocsin.alerts.models import Silence
from tocsin.alerts.parked import Unread, park
from tocsin.checkers import monitors
from tocsin.checkers.models import CheckRun
from tocsin.checkers.setup import Setup
from tocsin.core import clock
from tocsin.fleet import commands, enrolment, instances
from tocsin.fleet.models import Event, Heartbeat
from tocsin.intelligence.models import AnalysisRun
from tocsin.notify.models import NotificationChannel
from tocsin.orchestration import definitions
from tocsin.orchestration.models import PipelineDefinition

OURS = [model for model in admin.site._registry if model.__module__.startswith("tocsin.")]
SECRET = "s3cr3t-that-nobody-may-see"


def list_of(model: type[Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


@pytest.fixture
def night(alice: Client, world: World) -> World:
    """A row of every kind."""
    world.channel(url=world.receiver.url, secret=SECRET)
    world.fire("<script>window.hacked=1</script>", severity="critical", message="<b>CPU</b>")
    world.beat("<script>window.hacked=1</script>", "failure", text="<b>dump</b>")
    Heartbeat.objects.update(token=SECRET)
    Event.objects.create(
        type="deploy", message="<b>v2</b>", at=world.now, received_at=world.now, trace_id="trace"
    )
    world.work()
    now = clock.now()
    accounts.create_api_key(name="ci", scope="ingest", now=now)
    key = enrolment.offer(now=now, by="<b>ann</b>")
    enrolment.enrol(token=key, instance_id="<b>web-1</b>", hostname="web-1", version="1", now=now)
    asked = {"run_id": "run", "node": "do", "trace_id": "trace", "expires_at": now}
    machine = instances.named("<b>web-1</b>")
    commands.ask([commands.Order(machine, "restart", {"unit": "<b>nginx</b>"}, **asked)], now)
    accounts.create_sign_in_link(user=accounts.admin_user(), now=now)
    member = {"team": "T1", "member": "U1", "name": "<b>ann</b>"}
    accounts.link_chat(service="slack", **member, user=accounts.admin_user(), now=now)
    PipelineDefinition.objects.get_or_create(name="plain", defaults={"updated_at": now})
    sources.create_source(name="zabbix", labels={"team": "<b>db</b>"}, now=now)
    ended = Silence(id="0" * 36, comment="<b>repair</b>", starts_at=now, ends_at=now, updated_at=now)
    ended.save()
    park(unread=Unread(b"<b>nonsense</b>", "text/plain", "", "not JSON", "trace"), now=now)
    looked_at = {"url": "https://shop.example/", "token": SECRET}
    shop = Setup(name="<b>shop</b>", checker="http", options=looked_at, enabled=False)
    monitors.create(setup=shop, origin="cli", now=now)
    if not CheckRun.objects.exists():
        CheckRun.objects.create(checker="cpu", instance="web-1", status="ok", started_at=now)
    if not AnalysisRun.objects.exists():
        AnalysisRun.objects.create(provider="local", incident_id=1, started_at=now)
    return world


def test_what_users_look_for_is_there(alice: Client) -> None:
    names = {model.__name__ for model in OURS}
    assert names >= {
        "Alert", "Incident", "AlertHistory", "CheckRun", "AnalysisRun", "PipelineRun", "StageExecution",
        "NotificationChannel", "PipelineDefinition",
    }  # fmt: skip
    text = open_page(alice, "/admin/").text
    assert "Tocsin" in text
    for model in OURS:
        assert model._meta.verbose_name_plural.lower() in text.lower()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_kind_opens(model: type[Model], alice: Client, night: World) -> None:
    row = model._default_manager.first()
    assert row is not None
    detail = f"{list_of(model)}{row.pk}/change/"
    for path in (list_of(model), f"{list_of(model)}?q=1", f"{list_of(model)}?q=%00", detail):
        page = open_page(alice, path)
        assert not [
            a for tag, a in page.elements if tag == "script" and not a.get("src") and not a.get("type")
        ]
        content = alice.get(path).content.decode()
        assert "<script>window" not in content
        assert SECRET not in content


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_long_list_costs_no_more(model: type[Model], alice: Client, night: World) -> None:
    with counted() as few:
        alice.get(list_of(model))
    for number in range(3):
        night.fire(f"Alert{number}")
        night.work()
    with counted() as many:
        alice.get(list_of(model))
    assert len(many) == len(few) <= 12, many


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_what_tocsin_writes_is_not_edited(model: type[Model], alice: Client, night: World) -> None:
    if model is NotificationChannel:
        return
    row = model._default_manager.first()
    assert row is not None
    assert alice.get(f"{list_of(model)}add/").status_code == 403
    assert alice.post(f"{list_of(model)}{row.pk}/change/", {}).status_code == 403
    assert alice.post(f"{list_of(model)}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_digests_are_in_no_page(alice: Client, night: World) -> None:
    for found in (ApiKey.objects.get(), SignInLink.objects.get()):
        for path in (list_of(type(found)), f"{list_of(type(found))}{found.pk}/change/"):
            assert found.digest not in alice.get(path).content.decode()


def test_a_key_is_revoked(alice: Client, night: World) -> None:
    key = ApiKey.objects.get()
    alice.post(list_of(ApiKey), {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_channel_is_paused_and_keeps_its_config(alice: Client) -> None:
    channel = rows.channel("hook", url="https://hooks.example/", secret=SECRET)
    answer = alice.post(f"{list_of(NotificationChannel)}{channel.pk}/change/", {"name": "renamed"})
    assert answer.status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.enabled) == ("renamed", False)
    assert channel.config == {"url": "https://hooks.example/", "secret": SECRET}


def test_a_channel_whose_driver_is_gone(alice: Client) -> None:
    channel = rows.channel("old", "gone", token=SECRET)
    for path in ("/channels/", f"{list_of(NotificationChannel)}{channel.pk}/change/"):
        content = alice.get(path).content.decode()
        assert "gone" in content
        assert SECRET not in content


def test_what_nodes_keep_secret_is_dots(alice: Client) -> None:
    config = {"url": "https://x.example/", "headers": {"Authorization": SECRET}}
    document = {"nodes": [{"id": "ask", "type": "http", "config": config}]}
    found = definitions.put(name="mine", document=document, now=clock.now())
    content = alice.get(f"{list_of(PipelineDefinition)}{found.pk}/change/").content.decode()
    assert "Authorization" in content and "••••••" in content
    assert SECRET not in content
