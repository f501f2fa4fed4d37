"""Instances by command."""

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tocsin.alerts.events import CheckTold, Push
from tocsin.alerts.intake.beside import Told
from tocsin.core import clock
from tocsin.fleet import enrolment, instances
from tocsin.fleet.models import Instance

pytestmark = pytest.mark.django_db


def push(name: str, **told: object) -> None:
    now = clock.now()
    checks = (CheckTold("disk", "warning", "/var is 90 % full", {}, now, 0),)
    given = Push(instance_id=name, version="0.1", interval=60, sent_at=now, checks=checks, **told)  # type: ignore[arg-type]
    instances.take([given], Told("cluster", "", "trace", now, True, "192.0.2.7"))


def enrolled(name: str) -> None:
    token = enrolment.offer(now=clock.now())
    enrolment.enrol(token=token, instance_id=name, hostname="", version="", now=clock.now())


def test_listed_and_shown() -> None:
    assert "There is no instance yet" in tocsin("instance", "list")
    push("web-1", hostname="web-1.example", waiting=4, dropped={"steady": 2})
    enrolled("db-1")
    listed = tocsin("instance", "list")
    for shown in ("web-1", "warning", "192.0.2.7", "db-1", "unknown", "ago"):
        assert shown in listed
    assert [one["id"] for one in tocsin_json("instance", "list")["instances"]] == ["db-1", "web-1"]
    told = tocsin("instance", "show", "web-1")
    for shown in ("web-1.example", "every 1m", "4 rounds", "2 steady", "/var is 90 % full", "none in force"):
        assert shown in told
    assert tocsin_json("instance", "show", "web-1")["instance"]["checks"]["disk"]["status"] == "warning"
    assert tocsin_json("instance", "show", "db-1")["key"].startswith("tocsin_agent_")


def test_shut_out_and_removed() -> None:
    enrolled("db-1")
    assert "its key opens nothing any more" in tocsin("instance", "revoke", "db-1")
    assert Instance.objects.get().key_revoked_at is not None
    with pytest.raises(CommandError, match="db-1 has no key in force"):
        tocsin("instance", "revoke", "db-1")
    assert tocsin_json("instance", "remove", "db-1") == {"id": "db-1", "done": "removed"}
    assert not Instance.objects.exists()


@pytest.mark.parametrize("action", ["show", "revoke", "remove"])
def test_no_such_instance(action: str) -> None:
    with pytest.raises(CommandError, match="there is no instance 'nobody'"):
        tocsin("instance", action, "nobody")
