"""Routes as pages: drawn, asked, written, brought out of files, taken away."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from tests.notify.routing.files import FIXTURES
from tests.web import rows
from tests.web.markup import Page, open_page, read
from tests.web.test_incident import NASTY
from tests.world import World
from tocsin.notify import routes
from tocsin.notify.models import NotificationChannel, RoutingTree
from tocsin.web.route_tree import MOST_DRAWN

TREE = """\
route:
  channels: [chat]
  routes:
    - name: the web
      matchers: [team="web"]
      channels: [web]
      mute_time_intervals: [nights]
time_intervals:
  - name: nights
    time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]
"""


def save(browser: Client, text: str, **more: object) -> HttpResponse:
    answer = browser.post("/routes/edit/", {"text": text, "save": "1", **more}, follow=True)
    assert answer.status_code == 200
    return answer


def check(browser: Client, text: str, **more: str) -> Page:
    return read(browser.post("/routes/edit/", {"text": text, "check": "1", **more}))


def test_none_yet(alice: Client) -> None:
    assert "Everybody gets everything" in open_page(alice, "/routes/").text
    page = open_page(alice, "/routes/edit/")
    assert "who gets what no other route takes" in page.text


def test_put_in_force_drawn_and_taken_away(alice: Client) -> None:
    assert "In force from now on" in save(alice, TREE, note="the web sleeps").content.decode()
    text = " ".join(open_page(alice, "/routes/").text.split())
    for told in (
        "by alice",
        "the web sleeps",
        "the web",
        'team="web"',
        "→ web",
        "mute nights",
        "all else → chat",
    ):
        assert told in text, told
    assert "matchers" in open_page(alice, "/routes/edit/").text, "as it was written"
    first = RoutingTree.objects.get()
    assert "Everybody gets everything from now on" in alice.post("/routes/off/", follow=True).content.decode()
    assert routes.in_force() is None
    kept = open_page(alice, f"/routes/{first.pk}/")
    assert "Put in force again" in kept.text
    alice.post(f"/routes/{first.pk}/use/")
    assert routes.in_force() is not None
    assert "Everybody gets everything." in open_page(alice, f"/routes/{first.pk + 1}/").text
    assert alice.get("/routes/999/").status_code == alice.post("/routes/999/use/").status_code == 404


def test_what_is_read_again_is_the_same(alice: Client) -> None:
    save(alice, TREE)
    page = open_page(alice, "/routes/edit/")
    text = page.text.partition("Routes (YAML or JSON)")[2].partition("A file in its place")[0]
    save(alice, text[text.index("route:") :])
    first, second = RoutingTree.objects.values_list("document", flat=True)
    assert first == second


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route: {chanels: []}", "route.chanels there is no such field"),
        ("route:\n  channels: [a]\n  routes:\n  - receiver: x", "undefined receiver 'x'"),
        ("", "a mapping with a route is expected here"),
        ("a: [", "not YAML"),
        ("route: {channels: [a]}\nroute: 1", "'route' stands here twice"),
        ("[" * 5_000, "nested deeper"),
        ("a\0b", "Null characters are not allowed"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str, alice: Client) -> None:
    for page in (check(alice, text), read(save(alice, text))):
        assert said in " ".join(page.text.split())
        assert page.can_run() == []
    assert not RoutingTree.objects.exists()
    assert "line 4" in check(alice, "route:\n  channels: [a]\n  routes:\n  - receiver: x").text


def test_an_alertmanager_yml_is_told_line_by_line_before_it_is_put_in_force(alice: Client) -> None:
    rows.channel("chat")
    content = (FIXTURES / "shop.yml").read_bytes()
    file = SimpleUploadedFile("alertmanager.yml", content, "application/yaml")
    answer = alice.post("/routes/edit/", {"file": file, "text": "", "check": "1"})
    assert "no-store" in answer["Cache-Control"]
    page = read(answer)
    for told in (
        "an alertmanager.yml",
        "line 65",
        "requests are made without it",
        "is there",
        "inhibit_rules",
    ):
        assert told in page.text, told
    assert NotificationChannel.objects.count() == 1 and not RoutingTree.objects.exists()
    done = save(alice, content.decode()).content.decode()
    assert "Channels made:" in done
    assert NotificationChannel.objects.count() > 3
    assert NotificationChannel.objects.get(name="chat").driver == "webhook"
    assert (
        "letmein" not in done + open_page(alice, "/channels/").text + open_page(alice, "/routes/edit/").text
    )


def test_files_that_are_none(alice: Client) -> None:
    for content, said in (
        (b"\xff\xfe\x00", "The file is no text."),
        (b"x" * 2_200_000, "The file is larger"),
    ):
        answer = alice.post("/routes/edit/", {"file": SimpleUploadedFile("x", content), "check": "1"})
        assert said in answer.content.decode()


def test_channels_that_nobody_has(alice: Client) -> None:
    assert "Nobody has these channels: chat, web." in check(alice, TREE).text


def test_who_gets_it(alice: Client, world: World) -> None:
    save(alice, TREE)
    night = {"ask": "1", "labels": "team=web\n", "at": "2026-11-23T23:00:00Z"}
    page = read(alice.get("/routes/", night))
    text = " ".join(page.text.split())
    for told in ("web is told: it matched", "Nothing is sent now: muted by nights", "takes it"):
        assert told in text, told
    world.fire("Slow")
    world.work()
    page = open_page(alice, "/routes/")
    (alert,) = [a["value"] for tag, a in page.elements if tag == "option" and a["value"]]
    found = " ".join(read(alice.get("/routes/", {"ask": "1", "recent": alert})).text.split())
    assert "chat is told: no other route took it" in found and "alertname=Slow" in found
    for wrong, said in (
        ({"labels": "team"}, "is no label"),
        ({"at": "noon"}, "is no time"),
        ({"recent": "x"}, "valid"),
    ):
        assert said in read(alice.get("/routes/", {"ask": "1", **wrong})).text
    draft = check(alice, TREE.replace("[web]", "[other]"), ask="1", labels="team=web")
    assert "other is told" in draft.text


@pytest.mark.parametrize("text", NASTY)
def test_what_people_write_is_text(text: str, alice: Client) -> None:
    given = {
        "route": {"channels": [text], "routes": [{"name": text, "match": {"a": text}, "channels": [text]}]}
    }
    routes.put(given=given, made_by=text, note=text, now=rows.NOW)
    tree = RoutingTree.objects.get()
    for path in ("/routes/", f"/routes/{tree.pk}/", "/routes/edit/", f"/routes/?ask=1&labels=a%3D{'x'}"):
        assert open_page(alice, path).can_run() == [], path


def test_a_very_large_tree_is_cut(alice: Client) -> None:
    many = [{"match": {"n": str(number)}, "channels": ["x"]} for number in range(MOST_DRAWN + 5)]
    routes.put(given={"route": {"channels": [], "routes": many}}, made_by="", now=rows.NOW)
    assert "… and 5 more" in open_page(alice, "/routes/").text


def test_a_tree_of_another_version_says_so(alice: Client) -> None:
    routes.put(given={"route": {"channels": ["x"]}}, made_by="", now=rows.NOW)
    RoutingTree.objects.update(document={"route": {"channels": ["x"], "colour": "red"}})
    tree = RoutingTree.objects.get()
    for path in ("/routes/", f"/routes/{tree.pk}/", "/api/v1/routes/"):
        assert "there is no such field" in open_page(alice, path).text
    assert "cannot be used any more" in alice.post(f"/routes/{tree.pk}/use/", follow=True).content.decode()
