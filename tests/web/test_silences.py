"""Silences as people see, make, change and end them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.statements import counted
from tests.web import rows
from tests.web.markup import Page, open_page, read
from tests.world import World
from tocsin.alerts import matched
from tocsin.alerts.matched import matchers_of
from tocsin.alerts.models import Alert, Silence
from tocsin.core import clock
from tocsin.core.matchers import to_text
from tocsin.web.views import silences

HOUR = timedelta(hours=1)
NASTY = "<script>window.hacked=1</script>"
GIVEN = {"matchers": 'alertname="HighCPU"', "length": "1h", "comment": "repair"}


def fill_in(browser: Client, path: str = "/silences/add/", **given: str) -> Page:
    """Send the form; the page that follows."""
    answer = browser.post(path, GIVEN | given, follow=True)
    assert answer.status_code == 200
    page = read(answer)
    assert page.can_run() == []
    return page


def made() -> Silence:
    return Silence.objects.get()


def matchers(silence: Silence) -> str:
    return to_text(matchers_of(silence))


def near(moment: datetime, other: datetime) -> bool:
    return abs(moment - other) < timedelta(minutes=1)


def test_none_yet(alice: Client) -> None:
    page = open_page(alice, "/silences/")
    assert "No silence in force" in page.text
    assert "/silences/add/" in page.attributes("href")


@pytest.mark.parametrize(
    ("length", "hours"), [("1h", 1), ("4h", 4), ("1d", 24), ("1w", 168)]
)  # fmt: skip
def test_made_for_a_while(length: str, hours: int, alice: Client) -> None:
    page = fill_in(alice, matchers='alertname="HighCPU"\r\n\r\ninstance=~"web-.*", team!=db', length=length)
    assert "Silence saved" in page.text
    assert matchers(made()) == '{alertname="HighCPU",instance=~"web-.*",team!="db"}'
    assert (made().created_by, made().comment) == ("alice", "repair")
    assert near(made().starts_at, clock.now())
    assert near(made().ends_at, clock.now() + timedelta(hours=hours))


def test_made_until_a_time(alice: Client) -> None:
    fill_in(alice, length="until", ends_at="2199-12-31T23:59:00")
    assert made().ends_at == datetime(2199, 12, 31, 23, 59, tzinfo=UTC)


def test_a_hidden_end_does_not_count(alice: Client) -> None:
    fill_in(alice, length="1h", ends_at="2001-01-01T00:00:00")
    assert near(made().ends_at, clock.now() + HOUR)


@pytest.mark.parametrize(
    ("changed", "at", "said"),
    [
        ({"matchers": ""}, "matchers", "This field is required."),
        ({"matchers": "HighCPU"}, "matchers", "Line 1: bad matcher format: HighCPU"),
        ({"matchers": "a=b\r\n\r\nc"}, "matchers", "Line 3: bad matcher format: c"),
        ({"matchers": 'a="b'}, "matchers", "unescaped double quote"),
        ({"matchers": 'a=~"("'}, "matchers", "error parsing regexp: missing )"),
        ({"matchers": "{}"}, "matchers", "At least one must ask for a value."),
        ({"matchers": "a!=b"}, "matchers", "At least one must ask for a value."),
        ({"matchers": 'a=~".*"'}, "matchers", "At least one must ask for a value."),
        ({"matchers": "a=\0"}, "matchers", "Null characters are not allowed."),
        ({"matchers": "x" * 100_001}, "matchers", "at most 100000 characters"),
        ({"matchers": "<script>alert(1)</script>"}, "matchers", "format: <script>alert(1)</script>"),
        ({"length": "forever"}, "length", "Select a valid choice."),
        ({"length": ""}, "length", "This field is required."),
        ({"length": "until"}, "ends_at", "Say until when."),
        ({"length": "until", "ends_at": "soon"}, "ends_at", "Enter a valid date/time."),
        ({"length": "until", "ends_at": "2001-01-01T00:00"}, "ends_at", "This is in the past."),
        ({"comment": "x" * 9_000}, "comment", "at most 8192 characters"),
        ({"matchers": ",".join(f"a{n}=b" for n in range(101))}, "", "101 matchers; at most 100 are taken"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    changed: dict[str, str], at: str, said: str, alice: Client
) -> None:
    page = fill_in(alice, **changed)
    assert said in page.text
    assert {a["name"] for _, a in page.elements if "aria-invalid" in a} == ({at} if at else set())
    assert not Silence.objects.exists()


def test_too_many_are_refused_in_words(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences.services, "MOST", 1)
    fill_in(alice)
    assert "there are 1 silences in force or to come" in fill_in(alice).text


def test_each_in_its_list(alice: Client) -> None:
    now = clock.now()
    rows.silence("a=in-force", comment="now", created_by="bob")
    rows.silence("a=to-come", starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    rows.silence("a=over", ends_at=now - timedelta(minutes=5))
    rows.silence("a=forgotten", ends_at=now - timedelta(days=6))
    text = open_page(alice, "/silences/").text
    parts = [
        text.index(part) for part in ("In force", "in-force", "To come", "to-come", "Ended lately", "over")
    ]
    assert parts == sorted(parts)
    assert "Ends in 1 h" in text.replace("\n", "") or "Ends in 60 min" in text
    assert "by bob" in text
    assert "forgotten" not in text


@pytest.mark.parametrize("nasty", [NASTY, '"><svg onload=alert(1)>', "' onmouseover='alert(1)", "{{ 7*7 }}"])
def test_their_text_is_text(nasty: str, alice: Client, world: World) -> None:
    world.post({"name": nasty, "labels": {"instance": nasty}, "status": "firing"})
    world.work()
    rows.silence(rows.quoted("instance", nasty), comment=nasty, created_by=nasty)
    silence = made()
    paths = (
        "/silences/", f"/silences/{silence.pk}/edit/", f"/incidents/{world.incident().pk}/",
        f"/silences/add/?incident={world.incident().pk}",
    )  # fmt: skip
    for path in paths:
        page = open_page(alice, path)
        assert page.can_run() == [], path
        assert nasty in page.text or nasty.replace('"', '\\"') in page.text, path
    page = fill_in(alice, matchers=rows.quoted("instance", nasty), comment=nasty, preview="1")
    assert "Matches 1 alert firing now" in page.text


def test_how_many_it_matches(alice: Client, world: World) -> None:
    world.fire("HighCPU", "web-1")
    world.fire("HighCPU", "web-2")
    world.fire("DiskFull", "db-1")
    world.resolve("DiskFull", "db-1")
    world.work()
    rows.silence('alertname="HighCPU"')
    rows.silence('instance=~"(web|db)-1"')
    rows.silence('instance="db-1"')
    text = open_page(alice, "/silences/").text
    for told in ("matches 2 firing now", "matches 1 firing now", "matches 0 firing now"):
        assert told in text


def test_the_list_costs_no_more_with_more(alice: Client, world: World) -> None:
    def grow(count: int) -> list[str]:
        for number in range(count):
            rows.silence(f"instance=web-{number}")
            world.fire(instance=f"web-{number}")
        world.work()
        with counted() as asked:
            open_page(alice, "/silences/")
        return asked

    few, many = grow(1), grow(20)
    assert len(many) == len(few) <= 7, many


def test_very_many_are_not_all_looked_at(
    alice: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matched, "LOOKED_AT", 2)
    monkeypatch.setattr(silences, "SHOWN", 2)
    for number in range(3):
        world.fire(instance=f"web-{number}")
        rows.silence("alertname=HighCPU")
    text = open_page(alice, "/silences/").text
    assert text.count("matches 2 or more firing now") == 2
    assert "2 are shown; there are more" in text
    assert "Matches 2 or more alerts firing now" in fill_in(alice, preview="1").text


def test_looked_at_before_it_is_made(alice: Client, world: World) -> None:
    for number in range(12):
        world.fire(instance=f"web-{number}")
    world.work()
    page = fill_in(alice, matchers='alertname="HighCPU"', preview="1", length="")
    assert "Matches 12 alerts firing now" in page.text
    assert "The newest 10 are shown." in page.text
    assert 'alertname="HighCPU"' in page.text, "what was typed is still there"
    assert "Matches no alert firing now." in fill_in(alice, matchers="a=b", preview="1").text
    assert "firing now" not in fill_in(alice, matchers="a", preview="1").text
    assert not Silence.objects.exists()


def test_a_look_asks_little(alice: Client, world: World) -> None:
    for number in range(20):
        world.fire(instance=f"web-{number}")
    with counted() as asked:
        fill_in(alice, preview="1")
    assert len(asked) <= 5, asked


def test_for_an_incident_by_its_button(alice: Client, world: World) -> None:
    world.fire("High CPU", 'a"b\\c')
    world.work()
    incident = f"/incidents/{world.incident().pk}/"
    form = f"/silences/add/?incident={world.incident().pk}"
    assert form in open_page(alice, incident).attributes("href")
    page = open_page(alice, form)
    assert 'alertname="High CPU"\ninstance="a\\"b\\\\c"' in page.text
    assert "silenced" not in open_page(alice, incident).text

    page = fill_in(alice, form, matchers='alertname="High CPU"\ninstance="a\\"b\\\\c"')
    assert "silenced by alice" in page.text and "Silence saved" in page.text
    assert f"/silences/{made().pk}/edit/" in page.attributes("href")


@pytest.mark.parametrize("incident", ["", "0", "4711", "x", "9" * 30, "%00"])
def test_for_an_incident_that_is_not_there(incident: str, alice: Client) -> None:
    page = open_page(alice, f"/silences/add/?incident={incident}")
    assert "Traceback" not in page.text and not Silence.objects.exists()


def test_the_mark_of_one_that_nobody_heard_of(alice: Client, world: World) -> None:
    silence = rows.silence("instance=web-9")
    world.fire()
    world.work()
    Alert.objects.update(silenced_by=silence.pk)
    page = open_page(alice, f"/incidents/{world.incident().pk}/")
    assert "silenced" in page.text
    assert f"/silences/{silence.pk}/edit/" in page.attributes("href")


def test_only_what_fires_is_marked(alice: Client, world: World) -> None:
    world.fire()
    world.fire(fingerprint="another")
    rows.silence("instance=web-1", created_by="bob")
    world.resolve()
    world.work()
    text = open_page(alice, f"/incidents/{world.incident().pk}/").text
    assert text.count("silenced by bob") == 1


def test_changed(alice: Client) -> None:
    now = clock.now()
    old = rows.silence("a=b", comment="first", created_by="bob", annotations={"ticket": "OPS-1"})
    page = open_page(alice, f"/silences/{old.pk}/edit/")
    assert 'a="b"' in page.text and "first" in page.text and "By bob." in page.text
    fill_in(alice, f"/silences/{old.pk}/edit/", matchers='a="b"', length="1w", comment="second")
    assert (made().pk, made().comment, made().created_by) == (old.pk, "second", "alice")
    assert made().starts_at == old.starts_at
    assert made().annotations == {"ticket": "OPS-1"}
    assert near(made().ends_at, now + timedelta(weeks=1))


def test_kept_as_it_was(alice: Client) -> None:
    old = rows.silence("a=b", comment="first")
    page = open_page(alice, f"/silences/{old.pk}/edit/")
    given = {a["name"]: a["value"] for t, a in page.elements if t == "input" and a.get("type") != "radio"}
    chosen = [a["value"] for _, a in page.elements if a.get("type") == "radio" and "checked" in a]
    fill_in(alice, f"/silences/{old.pk}/edit/", matchers='a="b"', length=chosen[0], ends_at=given["ends_at"])
    assert made().pk == old.pk
    assert made().ends_at == old.ends_at.replace(microsecond=0)


def test_other_matchers_are_another_silence(alice: Client) -> None:
    old = rows.silence("a=b")
    fill_in(alice, f"/silences/{old.pk}/edit/", matchers="a=c")
    old.refresh_from_db()
    assert old.state(clock.now()) == Silence.EXPIRED
    assert matchers(Silence.objects.exclude(pk=old.pk).get()) == '{a="c"}'


def test_one_to_come_keeps_its_beginning(alice: Client) -> None:
    begin = clock.now() + 5 * HOUR
    old = rows.silence("a=b", starts_at=begin, ends_at=begin + HOUR)
    path = f"/silences/{old.pk}/edit/"
    soon = f"{begin - HOUR:%Y-%m-%dT%H:%M}"
    assert "It begins only at" in fill_in(alice, path, matchers="a=b", length="until", ends_at=soon).text
    fill_in(alice, path, matchers="a=b", length="4h")
    assert (made().starts_at, made().ends_at) == (begin, begin + 4 * HOUR)


def test_made_again_after_its_end(alice: Client) -> None:
    old = rows.silence("a=b", ends_at=clock.now() - timedelta(minutes=1))
    page = open_page(alice, f"/silences/{old.pk}/edit/")
    assert "Silence again" in page.text
    fill_in(alice, f"/silences/{old.pk}/edit/", matchers="a=b")
    again = Silence.objects.exclude(pk=old.pk).get()
    assert near(again.starts_at, clock.now())


def test_ended(alice: Client) -> None:
    silence = rows.silence()
    for _ in range(2):
        page = read(alice.post(f"/silences/{silence.pk}/end/", follow=True))
        assert "Silence ended" in page.text
        assert "No silence in force" in page.text
    assert near(made().ends_at, clock.now())


@pytest.mark.parametrize("act", ["edit", "end"])
@pytest.mark.parametrize("silence", ["6b0c8a5e-1f0d-4d0c-9a53-0d6d0b5f7a11", "1", "%00"])
def test_no_such_silence(act: str, silence: str, alice: Client) -> None:
    assert alice.post(f"/silences/{silence}/{act}/", GIVEN).status_code == 404


def test_a_change_needs_the_forms_token(alice: Client) -> None:
    silence = rows.silence()
    forger: Any = Client(enforce_csrf_checks=True)
    forger.cookies = alice.cookies
    for path in ("/silences/add/", f"/silences/{silence.pk}/edit/", f"/silences/{silence.pk}/end/"):
        assert forger.post(path, GIVEN).status_code == 403
    assert made().ends_at == silence.ends_at
