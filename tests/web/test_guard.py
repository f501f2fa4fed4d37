"""Who may see pages, who may change things, and what every answer carries."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern, get_resolver

from tests.web import rows
from tests.web.markup import open_page, read
from tocsin.alerts.models import Incident
from tocsin.web import urls
from tocsin.web.middleware import POLICY

SILENCE = "6b0c8a5e-1f0d-4d0c-9a53-0d6d0b5f7a11"
MONITOR = "mon_abc"
RUN = "0199a3c5d7e94f0b8a6c4e2d1f3b5a79"
OPEN = {"sign-in", "sign-in-link", "sign-out"}
PAGES = (
    "/",
    "/incidents/1/",
    "/silences/",
    "/silences/add/",
    f"/silences/{SILENCE}/edit/",
    "/sources/",
    "/sources/add/",
    "/sources/try/",
    "/sources/parked/",
    "/sources/parked/1/",
    "/sources/1/",
    "/sources/1/revoke/",
    "/heartbeats/",
    "/heartbeats/add/",
    "/heartbeats/1/",
    "/heartbeats/1/edit/",
    "/heartbeats/1/remove/",
    "/fleet/",
    "/fleet/add/",
    "/fleet/1/",
    "/fleet/1/remove/",
    "/monitors/",
    "/monitors/add/",
    "/monitors/add/http/",
    f"/monitors/{MONITOR}/",
    f"/monitors/{MONITOR}/edit/",
    f"/monitors/{MONITOR}/remove/",
    "/events/",
    "/pipelines/",
    "/pipelines/add/",
    "/pipelines/1/",
    "/pipelines/1/edit/",
    "/pipelines/1/remove/",
    "/pipelines/1/versions/1/",
    f"/runs/{RUN}/",
    "/channels/",
    "/channels/add/webhook/",
    "/channels/1/edit/",
    "/channels/1/remove/",
    "/channels/templates/",
    "/channels/templates/webhook/",
    "/deliveries/",
    "/deliveries/1/",
    "/deliveries/dead/",
    "/routes/",
    "/routes/1/",
    "/routes/edit/",
)
FORMS = (
    "/silences/add/",
    f"/silences/{SILENCE}/edit/",
    "/sources/add/",
    "/sources/try/",
    "/sources/1/revoke/",
    "/heartbeats/add/",
    "/heartbeats/1/edit/",
    "/heartbeats/1/remove/",
    "/fleet/add/",
    "/fleet/1/remove/",
    "/monitors/add/http/",
    f"/monitors/{MONITOR}/edit/",
    f"/monitors/{MONITOR}/remove/",
    "/pipelines/add/",
    "/pipelines/1/edit/",
    "/pipelines/1/remove/",
    "/channels/add/webhook/",
    "/channels/1/edit/",
    "/channels/1/remove/",
    "/channels/templates/webhook/",
    "/routes/edit/",
    "/sign-in/",
)
CHANGES = (
    "/incidents/1/acknowledge/",
    "/incidents/1/resolve/",
    f"/silences/{SILENCE}/end/",
    "/sources/parked/1/replay/",
    "/sources/parked/1/forget/",
    "/heartbeats/1/pause/",
    "/heartbeats/1/resume/",
    "/fleet/1/revoke/",
    f"/monitors/{MONITOR}/run/",
    f"/monitors/{MONITOR}/enable/",
    "/pipelines/1/enable/",
    "/pipelines/1/versions/1/restore/",
    f"/runs/{RUN}/answer/",
    "/channels/1/enable/",
    "/channels/1/test/",
    "/channels/preview/",
    "/deliveries/dead/send/",
    "/routes/1/use/",
    "/routes/off/",
)


def path_of(pattern: URLPattern) -> str:
    found = "/" + str(pattern.pattern)
    given = {
        "<int:incident_id>": "1",
        "<int:channel_id>": "1",
        "<int:heartbeat_id>": "1",
        "<int:instance_id>": "1",
        "<int:source_id>": "1",
        "<int:parked_id>": "1",
        "<int:definition_id>": "1",
        "<int:tree_id>": "1",
        "<str:delivery>": "1",
        "<str:version>": "1",
        "<str:run>": RUN,
        "<uuid:silence_id>": SILENCE,
        "<str:monitor>": MONITOR,
        "<str:checker>": "http",
        "<str:driver>": "webhook",
        "<str:token>": "x",
    }
    for name, value in given.items():
        found = found.replace(name, value)
    return found


@pytest.mark.parametrize(
    "path", [path_of(p) for p in urls.urlpatterns if p.name is not None and p.name not in OPEN]
)
def test_who_is_not_signed_in_is_sent_to_sign_in(path: str, client: Client, db: None) -> None:
    answers = [client.get(path), client.post(path)]
    assert {answer.status_code for answer in answers} <= {302, 405}
    for answer in answers:
        if answer.status_code == 302:
            assert answer.headers["Location"] == f"/sign-in/?next={path}"
    assert 302 in [answer.status_code for answer in answers]


def test_these_are_all_the_pages() -> None:
    named = {path_of(p) for p in urls.urlpatterns if p.name is not None and p.name not in OPEN}
    assert named == {*PAGES, *CHANGES, "/live/"}
    assert get_resolver().resolve("/").url_name == "incidents"


@pytest.mark.parametrize("path", CHANGES)
def test_a_link_changes_nothing(path: str, alice: Client) -> None:
    assert alice.get(path).status_code == 405


@pytest.mark.parametrize("path", [*CHANGES, *FORMS])
def test_a_change_needs_the_forms_token(path: str, alice: Client) -> None:
    rows.incident(pk=1)
    rows.channel(pk=1)
    forger = Client(enforce_csrf_checks=True)
    forger.cookies = alice.cookies
    answer = forger.post(path)
    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()
    assert Incident.objects.get().status == Incident.OPEN


@pytest.mark.parametrize("path", [*PAGES, "/sign-in/", "/sign-in/x/", "/admin/", "/nowhere/"])
def test_every_page_forbids_foreign_code(path: str, alice: Client) -> None:
    rows.incident(pk=1)
    rows.delivery(rows.channel(pk=1), id="1")
    rows.tree(pk=1)
    rows.silence(pk=SILENCE)
    rows.heartbeat(pk=1)
    rows.instance(pk=1)
    rows.monitor(pk=MONITOR)
    rows.source(pk=1)
    rows.parked(pk=1)
    rows.pipeline(pk=1)
    rows.run(run_id=RUN)
    answer = alice.get(path)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if not path.startswith("/admin"):
        assert read(answer).can_run() == []


def test_the_policy_allows_no_inline_code() -> None:
    assert "unsafe" not in POLICY and "*" not in POLICY
    assert "script-src 'self'" in POLICY


def test_the_admin_has_no_form_of_its_own(client: Client, db: None) -> None:
    assert client.get("/admin/login/?next=/admin/").headers["Location"] == "/sign-in/?next=/admin/"
    client.force_login(get_user_model().objects.create_user("bob"))
    assert client.get("/admin/").status_code == 302
    assert "Admin" not in open_page(client, "/").text
