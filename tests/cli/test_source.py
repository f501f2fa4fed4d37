"""Sources by command."""

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tocsin.alerts import sources

pytestmark = pytest.mark.django_db


def test_a_token_is_shown_once_and_ends() -> None:
    assert "There is no source yet" in tocsin("source", "list")
    made = tocsin_json("source", "create", "zabbix", "--label", "team=db", "--label", "site=eu")
    assert made["labels"] == {"team": "db", "site": "eu"}
    assert sources.knows(made["token"])
    told = tocsin("source", "list")
    assert made["token"] not in told
    assert made["token"][:6] in told and "in force" in told and 'team="db"' in told

    assert "opens nothing any more" in tocsin("source", "revoke", "zabbix")
    assert not sources.knows(made["token"])
    assert "revoked" in tocsin("source", "list")
    assert tocsin_json("source", "list")["sources"][0]["enabled"] is False


def test_people_are_shown_the_token_where_they_need_it() -> None:
    told = tocsin("source", "create", "zabbix")
    assert sources.knows(told.splitlines()[1].strip())


@pytest.mark.parametrize("arguments", [
    ("create", "no good"), ("create", "x", "--label", "team"), ("revoke", "nobody"),
])  # fmt: skip
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        tocsin("source", *arguments)
