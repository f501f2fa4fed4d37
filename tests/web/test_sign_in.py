"""By a link, once; by a password, not by guessing."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client

from tests.web.markup import open_page
from tocsin.accounts import services
from tocsin.accounts.models import SignInLink
from tocsin.core import clock
from tocsin.web.views.sign_in import FAILURES

PASSWORD = "correct horse battery"


@pytest.fixture
def bob(db: None) -> User:
    return get_user_model().objects.create_user("bob", password=PASSWORD)


def link_for(user: User) -> str:
    return f"/sign-in/{services.create_sign_in_link(user=user, now=clock.now())}/"


def is_signed_in(browser: Client) -> bool:
    return browser.get("/").status_code == 200


def guess(browser: Client, password: str = "wrong", **more: str) -> int:
    return browser.post("/sign-in/", {"username": "bob", "password": password, **more}).status_code


def test_looking_at_a_link_does_not_use_it_up(client: Client, bob: User) -> None:
    link = link_for(bob)
    for _ in range(3):
        assert "This link signs you in once" in open_page(client, link).text
    assert client.head(link).status_code == 200
    assert not is_signed_in(client)
    assert client.post(link).headers["Location"] == "/"
    assert is_signed_in(client)


def test_a_link_works_once(client: Client, bob: User) -> None:
    link = link_for(bob)
    client.post(link)
    other = Client()
    answer = other.post(link)
    assert answer.status_code == 410
    assert "This link no longer works" in answer.content.decode()
    assert not is_signed_in(other)


def test_a_link_has_its_time(client: Client, bob: User) -> None:
    link = link_for(bob)
    SignInLink.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert client.post(link).status_code == 410
    assert not is_signed_in(client)


@pytest.mark.parametrize("token", ["x", "%00", "%ff", "x" * 5000])
def test_a_link_nobody_made(token: str, client: Client, db: None) -> None:
    assert client.post(f"/sign-in/{token}/").status_code == 410


def test_links_are_not_kept_by_caches(client: Client, bob: User) -> None:
    assert "no-store" in client.get(link_for(bob)).headers["Cache-Control"]


def test_by_password(client: Client, bob: User) -> None:
    assert guess(client) == 200
    assert not is_signed_in(client)
    assert guess(client, PASSWORD) == 302
    assert is_signed_in(client)


def test_out_again(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert not is_signed_in(client)


def test_guessing_ends(client: Client, bob: User) -> None:
    assert [guess(client) for _ in range(FAILURES)] == [200] * FAILURES
    answer = client.post("/sign-in/", {"username": "bob", "password": PASSWORD})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Too many failed tries" in answer.content.decode()
    assert not is_signed_in(client)
    assert client.post(link_for(bob)).status_code == 302, "a link still works"


def test_guessing_elsewhere_does_not_lock_others_out(client: Client, bob: User) -> None:
    guesser = Client(REMOTE_ADDR="192.0.2.1")
    for _ in range(FAILURES + 1):
        guess(guesser)
    assert guess(client, PASSWORD) == 302


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:x"])
def test_signing_in_leads_nowhere_else(elsewhere: str, client: Client, bob: User) -> None:
    answer = client.post("/sign-in/", {"username": "bob", "password": PASSWORD, "next": elsewhere})
    assert answer.headers["Location"] == "/"


def test_a_live_page_whose_session_ended_shows_the_form(client: Client, db: None) -> None:
    answer = client.get("/", headers={"HX-Request": "true"}, follow=True)
    assert answer.headers["HX-Refresh"] == "true"
