"""Monitors by command, and a file that says which there are."""

from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.fakes.receiver import Answer, Receiver
from tocsin.alerts.models import Alert
from tocsin.checkers import monitors
from tocsin.checkers.models import CheckRun, Monitor

pytestmark = pytest.mark.django_db

FILE: Final = """
[monitors.shop]
checker = "http"
interval = "2m"
failures = 2
labels = { team = "web" }

[monitors.shop.options]
url = "https://shop.example/health"
token = "s3cr3t"

[monitors."mail server"]
checker = "tcp"
options = { hosts = ["mail.example:25"], warning = 100 }
"""


@pytest.fixture(autouse=True)
def loopback_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.0/8")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks by hand does not wait for another's look."""
    monkeypatch.setattr(monitors, "PATIENCE_SECONDS", 0)


def written(folder: Path, text: str) -> str:
    file = folder / "monitors.toml"
    file.write_text(text)
    return str(file)


def steps(path: str, *more: str) -> list[tuple[Any, ...]]:
    told = tocsin_json("monitor", "apply", path, *more)["steps"]
    return [(step["kind"], step["monitor"], *step["changes"]) for step in told]


def test_made_listed_shown_disabled_and_removed() -> None:
    assert "There is no monitor yet" in tocsin("monitor", "list")
    said = tocsin(
        "monitor", "add", "shop", "--checker", "http", "--set", "url=https://shop.example/?key=s3cr3t",
        "token=s3cr3t", "headers=X-A=1", "headers=X-B=2", "statuses=200,204", "--interval", "90s",
        "--failures", "2", "--label", "team=web", "--severity", "unknown=critical",
    )  # fmt: skip
    assert "Monitor shop looks every 1 min 30 s" in said
    made = Monitor.objects.get()
    assert made.options["headers"] == {"X-A": "1", "X-B": "2"}
    assert made.options["statuses"] == [200, 204]
    assert (made.interval, made.failures, made.labels, made.origin) == (90, 2, {"team": "web"}, "cli")
    assert made.severities == {"warning": "warning", "critical": "critical", "unknown": "critical"}
    listed = tocsin("monitor", "list")
    for shown in ("shop", "new", "http", "https://shop.example/", "1 min 30 s"):
        assert shown in listed
    shown = tocsin("monitor", "show", made.pk)
    assert "token=••••••" in shown and made.url in shown and "'X-A': '••••••'" in shown
    assert "is disabled" in tocsin("monitor", "disable", "shop")
    assert tocsin_json("monitor", "show", "shop")["monitor"]["state"] == "disabled"
    assert tocsin_json("monitor", "enable", "shop") == {"name": "shop", "done": "enabled"}
    assert "is removed" in tocsin("monitor", "remove", "shop")
    assert not Monitor.objects.exists()


def test_looked_at_now(receiver: Receiver, impatient: None) -> None:
    receiver.default = Answer(503)
    tocsin("monitor", "add", "shop", "--checker", "http", "--set", f"url={receiver.url}", "--failures", "1")
    with pytest.raises(SystemExit) as end:
        tocsin("monitor", "run", "shop")
    assert end.value.code == 2
    assert CheckRun.objects.get().message == f"HTTP 503 from {receiver.url}"
    assert Alert.objects.get().name == "shop"
    receiver.default = Answer()
    told = tocsin_json("monitor", "run", "shop")
    assert (told["status"], told["checks"][0]["metrics"]["status"]) == ("ok", 200)
    Monitor.objects.update(lease="another worker's")
    with pytest.raises(CommandError, match="being looked at just now"):
        tocsin("monitor", "run", "shop")
    tocsin("monitor", "disable", "shop")
    assert "HTTP 200" in tocsin("monitor", "run", "shop")
    assert CheckRun.objects.count() == 2, "what is disabled looks, and keeps nothing"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "x", "--checker", "nonsense"), "nonsense"),
        (("add", "x", "--checker", "http"), "options.url: Field required"),
        (("add", "x", "--checker", "command", "--set", "argv=id"), "no monitor can use it"),
        (("add", "x", "--checker", "http", "--set", "url=ftp://x"), "options.url"),
        (("add", "x", "--checker", "http", "--set", "colour=red"), "colour: http takes timeout"),
        (("add", "x", "--checker", "http", "--set", "url"), "url: http takes timeout"),
        (("add", "x", "--checker", "cpu", "--interval", "soon"), "interval: 'soon' is no duration"),
        (("add", "x", "--checker", "cpu", "--interval", "9s"), "interval: it must be 10 to 86,400 seconds"),
        (("add", "x", "--checker", "cpu", "--interval", "25h"), "interval: it must be"),
        (("add", "x", "--checker", "cpu", "--jitter", "0.6"), "jitter: it must be 0 to 0.5"),
        (("add", "x", "--checker", "cpu", "--jitter", "nan"), "jitter: it must be 0 to 0.5"),
        (("add", "x", "--checker", "cpu", "--failures", "0"), "failures: it must be 1 to 100"),
        (("add", "x", "--checker", "cpu", "--recoveries", "101"), "recoveries: it must be 1 to 100"),
        (("add", "x", "--checker", "cpu", "--label", "team"), "--label 'team' must be given as name=value"),
        (("add", "x", "--checker", "cpu", "--label", "a b=c"), "labels: the label a b="),
        (("add", "x", "--checker", "cpu", "--severity", "ok=info"), "severities: 'ok' is none of"),
        (("add", "x", "--checker", "cpu", "--severity", "warning=bad"), "severities.warning: 'bad'"),
        (("add", " ", "--checker", "cpu"), "name: the name must be"),
        (("show", "nobody"), "there is no monitor named 'nobody'"),
        (("run", "nobody"), "there is no monitor named"), (("remove", "nobody"), "there is no monitor named"),
        (("apply", "/nowhere"), "/nowhere: "),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError) as error:
        tocsin("monitor", *arguments)
    assert said in str(error.value)
    assert not Monitor.objects.exists()


def test_a_name_is_taken_once() -> None:
    tocsin("monitor", "add", "x", "--checker", "cpu")
    with pytest.raises(CommandError, match="there is a monitor named 'x'"):
        tocsin("monitor", "add", "x", "--checker", "cpu")


def test_a_file_is_applied_and_applied_again(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    assert steps(path, "--dry-run") == [("add", "shop"), ("add", "mail server")]
    assert not Monitor.objects.exists()
    assert steps(path) == [("add", "shop"), ("add", "mail server")]
    shop = Monitor.objects.get(name="shop")
    assert (shop.interval, shop.failures, shop.labels, shop.origin) == (120, 2, {"team": "web"}, "file")
    Monitor.objects.update(due_at=None)
    assert steps(path) == [("keep", "shop"), ("keep", "mail server")]
    assert not Monitor.objects.exclude(due_at=None).exists(), "what is as the file says is not touched"


def test_a_file_changes_and_removes_what_it_made(tmp_path: Path) -> None:
    tocsin("monitor", "add", "by hand", "--checker", "cpu")
    steps(written(tmp_path, FILE))
    first = Monitor.objects.get(name="shop").pk
    changed = FILE.partition('[monitors."mail')[0].replace("2m", "5m").replace("s3cr3t", "another")
    path = written(tmp_path, changed)
    said = tocsin("monitor", "apply", path, "--dry-run")
    assert "~ shop interval, options\n- mail server\n" in said
    assert "0 would be added, 1 changed, 1 removed; 0 are as the file says." in said
    assert steps(path) == [("change", "shop", "interval", "options"), ("remove", "mail server")]
    shop = Monitor.objects.get(name="shop")
    assert (shop.pk, shop.interval, shop.options["token"]) == (first, 300, "another")
    assert set(Monitor.objects.values_list("name", flat=True)) == {"by hand", "shop"}


def test_a_file_takes_on_what_was_made_by_hand(tmp_path: Path) -> None:
    tocsin("monitor", "add", "x", "--checker", "cpu")
    path = written(tmp_path, '[monitors.x]\nchecker = "cpu"\n')
    assert steps(path) == [("change", "x", "origin")]
    assert steps(path) == [("keep", "x")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "monitors.toml: "),
        ("[monitor.x]\n", "monitors.toml: monitor: a file of monitors has tables"),
        ("monitors = 3\n", "monitors.toml: monitors: "),
        ("[monitors]\nx = 3\n", "[monitors.x]: it must be a table"),
        ("[monitors.x]\n", "[monitors.x] object missing required field `checker`"),
        ('[monitors.x]\nchecker = "cpu"\ncolour = 1\n', "object contains unknown field `colour`"),
        ('[monitors.x]\nchecker = "cpu"\nname = "y"\n', "[monitors.x] name: "),
        ('[monitors.x]\nchecker = "cpu"\nfailures = "many"\n', "[monitors.x] failures: expected `int`"),
        ('[monitors.x]\nchecker = "cpu"\ninterval = "1s"\n', "[monitors.x] interval: it must be 10"),
        ('[monitors.x]\nchecker = "cpu"\nlabels = { a = 1 }\n', "[monitors.x] labels"),
        ('[monitors.x]\nchecker = "gpu"\n', "[monitors.x] checker: "),
        ('[monitors.x]\nchecker = "http"\n[monitors.x.options]\nurl = 3\n', "[monitors.x] options.url: "),
        ('[monitors.a]\nchecker = "cpu"\n[monitors.x]\nchecker = "cpu"\nfailures = 0\n',
         "[monitors.x] failures: it must be 1 to 100"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named_and_nothing_of_it_is_done(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(CommandError) as error:
        tocsin("monitor", "apply", written(tmp_path, text))
    assert said in str(error.value)
    assert not Monitor.objects.exists()
