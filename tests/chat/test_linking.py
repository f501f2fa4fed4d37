"""Who a member of a workspace is here: said once, by themselves, signed in."""

import re
import time
from urllib.parse import quote, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client

from tests.chat.workspace import TEAM, Workspace
from tests.web.markup import open_page, read
from tocsin.accounts import services as accounts
from tocsin.accounts.models import ChatIdentity
from tocsin.alerts.models import Incident
from tocsin.chat import linking
from tocsin.chat.linking import Pressed
from tocsin.chat.payloads import Who
from tocsin.core import clock
from tocsin.notify.drivers.slack.card import ACKNOWLEDGE, MORE, RESOLVE

EVE = Who(TEAM, "U-EVE", "eve")


@pytest.fixture
def alice(db: None) -> Client:
    """A browser in which alice is signed in."""
    browser = Client()
    browser.force_login(get_user_model().objects.create_user("alice"))
    return browser


def link_of(workspace: Workspace) -> str:
    """The path of the link that the last answer has."""
    [url] = [
        element["url"]
        for block in workspace.slack.said[-1]["blocks"]
        for element in block.get("elements", [])
    ]
    return urlsplit(url).path


def path_of(who: Who, pressed: Pressed | None = None) -> str:
    return urlsplit(linking.url_for(who, pressed)).path


def test_what_was_pressed_is_done_once_it_is_known_who_did(workspace: Workspace, alice: Client) -> None:
    workspace.world.fire()
    workspace.world.work()
    incident = Incident.objects.get()
    given = workspace.pressed(ACKNOWLEDGE, str(incident.pk), by="U1", user={"id": "U1", "username": "ally"})
    workspace.interact(given)
    workspace.said()
    path = link_of(workspace)
    page = open_page(alice, path)
    for part in ("Are you ally in Slack?", "U1", TEAM, "alice", "done at once"):
        assert part in page.text
    assert Incident.objects.get().status == "open", "to look at the page does nothing"
    assert not ChatIdentity.objects.exists()
    answer = alice.post(path, follow=True)
    assert "ally in Slack is you from now on" in read(answer).text
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", "alice")
    assert str(ChatIdentity.objects.get()) == "ally in slack is alice"
    workspace.interact(given)  # Slack tells of the first press again
    workspace.press(RESOLVE, incident.pk, by="U1")
    assert workspace.said(2)[1] == f"Incident #{incident.pk} is resolved"


def test_who_is_not_signed_in_signs_in_first(workspace: Workspace) -> None:
    path = path_of(EVE)
    answer = Client().get(path)
    assert answer.headers["Location"] == f"/sign-in/?next={quote(path)}"
    assert Client().post(path).status_code == 302
    assert not ChatIdentity.objects.exists()


def test_a_link_needs_the_pages_own_form(alice: Client) -> None:
    forger = Client(enforce_csrf_checks=True)
    forger.cookies = alice.cookies
    assert forger.post(path_of(EVE)).status_code == 403
    assert not ChatIdentity.objects.exists()


def test_a_link_has_its_time(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path, later = path_of(EVE), time.time() + linking.GOOD_FOR + 5
    monkeypatch.setattr(signing.time, "time", lambda: later)
    for answer in (alice.get(path), alice.post(path)):
        assert answer.status_code == 410
        assert "too old" in read(answer).text
    assert not ChatIdentity.objects.exists()


@pytest.mark.parametrize("token", ["x", "a:b:c", "%00", "é", "A" * 3000])
def test_a_link_that_nobody_made_links_nobody(token: str, alice: Client) -> None:
    for answer in (alice.get(f"/chat/link/{token}/"), alice.post(f"/chat/link/{token}/")):
        assert answer.status_code == 410
    forged = signing.dumps({"who": {"team": "T", "member": "U"}}, salt="another", compress=True)
    assert alice.post(f"/chat/link/{forged}/").status_code == 410
    whole = path_of(EVE)
    assert alice.post(re.sub(r"link/.", "link/~", whole)).status_code == 410
    assert not ChatIdentity.objects.exists()


def test_a_member_is_one_person(alice: Client) -> None:
    bob: User = get_user_model().objects.create_user("bob")
    accounts.link_chat(
        service="slack", team=EVE.team, member=EVE.member, name="eve", user=bob, now=clock.now()
    )
    answer = alice.post(path_of(EVE))
    assert answer.status_code == 410 and "linked to bob already" in read(answer).text
    assert ChatIdentity.objects.get().user == bob
    alice.force_login(bob)
    assert alice.post(path_of(EVE)).status_code == 302, "to say it again is no harm"


def test_one_person_may_be_several_members(alice: Client) -> None:
    for who in (EVE, Who("T2", "U-EVE", "eve"), Who(TEAM, "U-2", "e")):
        assert alice.post(path_of(who)).status_code == 302
    assert ChatIdentity.objects.count() == 3


@pytest.mark.parametrize(
    ("action", "value"),
    [(MORE, "1:note"), (MORE, "1:why"), ("nonsense", "1"), (ACKNOWLEDGE, "99999"), (MORE, "x")],
)
def test_what_cannot_be_done_links_all_the_same(action: str, value: str, alice: Client) -> None:
    assert alice.post(path_of(EVE, Pressed(action, value, "k"))).status_code == 302
    assert ChatIdentity.objects.exists()


def test_names_are_text(alice: Client) -> None:
    page = open_page(alice, path_of(Who(TEAM, "<script>x</script>", "<b>eve</b>")))
    assert "<b>eve</b>" in page.text and page.can_run() == []


def test_an_administrator_takes_a_link_away(workspace: Workspace) -> None:
    workspace.member("anna")
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser("root"))
    chosen = {"action": "unlink", "_selected_action": ChatIdentity.objects.get().pk}
    assert browser.post("/admin/accounts/chatidentity/", chosen).status_code == 302
    assert not ChatIdentity.objects.exists()
