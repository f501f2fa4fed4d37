"""What nobody could read is kept, within bounds, and can be read after all."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.doorway import ANY, doorway
from tocsin.alerts import parked, sources
from tocsin.alerts.models import Alert, ParkedPayload
from tocsin.alerts.parked import LONGEST, MOST, Unread
from tocsin.core import clock

BODY = b'{"events": [{"title": "Pump stopped", "unit": "P-7"}]}'


def park(body: bytes = BODY, driver: str = "") -> ParkedPayload:
    unread = Unread(body, "application/json", driver, "no driver reads this payload", "trace-1")
    parked.park(unread=unread, now=clock.now())
    return ParkedPayload.objects.latest("pk")


def test_the_newest_are_kept(db: None) -> None:
    for number in range(MOST + 5):
        park(b"%d" % number)
    assert ParkedPayload.objects.count() == MOST
    assert ParkedPayload.objects.order_by("pk")[0].text == "5"


def test_of_a_long_one_the_beginning_is_kept(db: None) -> None:
    kept = park(b"x" * (LONGEST + 1))
    assert (kept.size, len(kept.text)) == (LONGEST + 1, LONGEST)
    with pytest.raises(CommandError, match=f"only {LONGEST} of its {LONGEST + 1} bytes were kept"):
        tocsin("parked", "replay", str(kept.pk))


def test_it_is_shown_as_it_came(db: None) -> None:
    kept = park(b"\xff<script>\0")
    assert tocsin_json("parked", "show", str(kept.pk))["body"] == "\ufffd<script>\0"
    assert [row["id"] for row in tocsin_json("parked", "list")["parked"]] == [kept.pk]
    assert "no driver reads this payload" in tocsin("parked", "list")


def test_a_mapping_reads_it_after_all(transactional_db: None, tmp_path: Path) -> None:
    kept = park()
    path = tmp_path / "plant.json"
    path.write_text(json.dumps({"alerts": "events", "name": "title", "labels": {"instance": "unit"}}))
    told = tocsin_json("parked", "replay", str(kept.pk), "--mapping", str(path))
    assert (told["read_by"], told["alerts"], told["trace_id"]) == ("mapping", 1, "trace-1")
    assert Alert.objects.get().labels == {"alertname": "Pump stopped", "instance": "P-7"}
    assert not ParkedPayload.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--driver", "alertmanager"], "alerts"),
        (["--mapping", "nowhere.json"], "cannot read nowhere.json: No such file"),
        ([], "no driver reads this payload"),
    ],
)
def test_one_that_still_cannot_be_read_stays(db: None, arguments: list[str], said: str) -> None:
    kept = park()
    with pytest.raises(CommandError, match=said):
        tocsin("parked", "replay", str(kept.pk), *arguments)
    assert ParkedPayload.objects.get() == kept


def test_the_door_parks_what_it_cannot_read(transactional_db: None) -> None:
    with doorway() as door:
        refused = door.post(BODY, ANY)
        assert (refused.status, refused.json["code"]) == (400, "payload")
        door.door.close()
        kept = ParkedPayload.objects.get()
        assert (kept.text, kept.driver, kept.trace_id) == (BODY.decode(), "", refused.json["trace_id"])
        assert kept.reason == refused.message


def test_a_source_whose_mapping_does_not_fit_finds_its_payload_parked(transactional_db: None) -> None:
    token = sources.create_source(
        name="plant", labels={}, now=clock.now(), mapping={"alerts": "events", "name": "title"}
    )
    with doorway(open_door=False) as door:
        refused = door.post(b'{"events": [{"text": "no title"}]}', f"/alerts/source/{token}/")
        assert refused.status == 400
        door.door.close()
    kept = ParkedPayload.objects.get()
    assert (kept.reason, kept.trace_id) == (refused.message, refused.json["trace_id"])


def test_who_may_not_post_fills_nothing(transactional_db: None) -> None:
    with doorway(open_door=False) as door:
        assert door.post(BODY, ANY).status == 401
        door.door.close()
    assert not ParkedPayload.objects.exists()


def test_one_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match="there is no parked payload 7: tocsin parked list"):
        tocsin("parked", "show", "7")
    assert "Everything that was posted could be read." in tocsin("parked", "list")
