"""Keys and ways in by command."""

import pytest
from django.contrib.auth.models import User
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tocsin.accounts import services
from tocsin.core import clock

pytestmark = pytest.mark.django_db


def test_a_key_is_shown_once_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no key yet" in tocsin("api_key", "list")
    made = tocsin_json("api_key", "create", "prometheus", "--scope", "read")
    assert services.scope_of_key(made["key"]) == "read"
    told = tocsin("api_key", "list")
    assert made["key"] not in told
    assert made["key"][:12] in told and "in force" in told

    assert "opens nothing any more" in tocsin("api_key", "revoke", "prometheus")
    assert services.scope_of_key(made["key"]) is None
    assert tocsin_json("api_key", "list")["keys"][0]["revoked_at"] is not None


def test_keys_are_for_ingest_unless_told_otherwise() -> None:
    told = tocsin("api_key", "create", "grafana")
    (key,) = (line.strip() for line in told.splitlines() if "tocsin_" in line)
    assert services.scope_of_key(key) == "ingest"


def test_names_that_are_taken_or_unknown() -> None:
    tocsin("api_key", "create", "grafana")
    with pytest.raises(CommandError, match="a key named 'grafana'; choose another name"):
        tocsin("api_key", "create", "grafana")
    with pytest.raises(CommandError, match="no key named 'nope' in force"):
        tocsin("api_key", "revoke", "nope")


def test_a_sign_in_link_works_once() -> None:
    link = tocsin_json("signin_link")
    assert link["user"] == "admin"
    token = link["url"].rstrip("/").rpartition("/")[2]
    signed_in = services.use_sign_in_link(token=token, now=clock.now())
    assert signed_in is not None and signed_in.get_username() == "admin"
    assert services.use_sign_in_link(token=token, now=clock.now()) is None


def test_a_sign_in_link_for_somebody() -> None:
    User.objects.create_user("alice")
    User.objects.create_user("gone", is_active=False)
    told = tocsin("signin_link", "--user", "alice")
    assert "/sign-in/" in told and "Signs in alice, once, within 60 min." in told
    for name in ("gone", "nobody"):
        with pytest.raises(CommandError, match=f"no user named '{name}'"):
            tocsin("signin_link", "--user", name)
