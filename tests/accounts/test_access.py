"""Who may call a JSON endpoint."""

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.test import Client
from django.urls import path

from tocsin.accounts import services
from tocsin.accounts.access import key_or_session
from tocsin.core import clock

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@key_or_session("write")
def change(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"csrf": get_token(request)})


urlpatterns = [path("change", change)]


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def with_key(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {services.create_api_key(name=scope, scope=scope, now=clock.now())}"}


def test_without_credentials_it_says_what_to_send(browser: Client) -> None:
    answer = browser.get("/change")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json()["message"]


def test_a_key_needs_the_scope_and_no_csrf_token(browser: Client) -> None:
    assert browser.post("/change", headers=with_key("write")).status_code == 200
    refused = browser.post("/change", headers=with_key("read"))
    assert refused.status_code == 403
    assert "needs write" in refused.json()["message"]


def test_a_session_needs_the_csrf_token(browser: Client) -> None:
    browser.force_login(User.objects.create_user("alice"))
    token = browser.get("/change").json()["csrf"]
    refused = browser.post("/change")
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["message"]
    assert browser.post("/change", headers={"X-CSRFToken": token}).status_code == 200
