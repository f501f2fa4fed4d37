"""The documentation tells the truth: its examples are run, its names are looked up."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from django.core.management import get_commands
from django.urls import URLPattern, get_resolver

from tests.fakes.receiver import Receiver, receiver
from tests.fakes.slack import slack
from tests.fakes.smtp import mail_server
from tests.installed import require
from tests.pages import ANYTHING, PAGES, ROOT, Block, Example, anchors, blocks, examples, matches, name, spans
from tests.processes import Tocsin, free_port
from tocsin.alerts.drivers import BaseDriver, drivers
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake import door, limits
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.news import News
from tocsin.api.metrics import exposition
from tocsin.checkers.checks import RANK, BaseChecker
from tocsin.checkers.services import CheckSet
from tocsin.core import clock
from tocsin.core.http import Client
from tocsin.core.registry import Registry
from tocsin.notify.drivers import BaseDriver as BaseNotifyDriver
from tocsin.notify.message import Message, MessageAlert
from tocsin.notify.services import test_message as sample_message
from tocsin.orchestration.graph import four_stages
from tocsin.orchestration.nodes import BaseNode, BatchNode, Context, Walk
from tocsin.web import reference

DOCS: Final = ROOT / "docs"
ADD_A_DRIVER: Final = DOCS / "how-to" / "add-a-driver.md"
CHECK_HEALTH: Final = DOCS / "how-to" / "check-health.md"
CONNECT: Final = DOCS / "how-to" / "connect-prometheus.md"
SEND: Final = DOCS / "how-to" / "send-to-slack-email-webhook.md"
OPERATE: Final = DOCS / "operate.md"
HTTP: Final = DOCS / "reference" / "http.md"
WATCH: Final = DOCS / "how-to" / "watch-a-service.md"
PIPELINES: Final = DOCS / "how-to" / "pipelines.md"
ROUTING: Final = DOCS / "how-to" / "routing.md"
QUICK_START: Final = DOCS / "quick-start.md"
README: Final = ROOT / "README.md"
SOURCE: Final = {path: path.read_text() for path in (ROOT / "tocsin").rglob("*.py")}
SECONDS: Final = 15.0

# Examples of one line are run in this order on one installation.
TOGETHER: Final = [
    (README, OPERATE, CONNECT, SEND),
    (QUICK_START,),
    (CHECK_HEALTH,),
    (WATCH,),
    (PIPELINES, ROUTING),
]


@dataclass
class Reader:
    """Somebody who does what pages say, on an installation with ports of its own."""

    tocsin: Tocsin
    folder: Path
    instead: dict[str, str]  # what stands in a page, and what is used here
    running: ExitStack = field(default_factory=ExitStack)
    script: "subprocess.Popen[str] | None" = None

    def follow(self, page: Path) -> None:
        """Do one page from above."""
        for block in blocks(page):
            if block.language == "console":
                for example in examples(block):
                    self.run(example, page)
            elif file := re.search(r"`([\w-]+\.(?:json|yml))`:\s*$", block.before):
                (self.folder / file[1]).write_text(block.text)
            elif block.language == "text" and "Sign in" in block.text:
                self.compare_greeting(block)
            elif block.text.startswith("# receiver.py"):
                self.start(block)

    def run(self, example: Example, page: Path) -> None:
        """Run a command and compare. A story may need a moment until all of it has happened."""
        program = example.command.split()[0]
        if shutil.which(program) is None and program != "tocsin":
            require(program) if os.environ.get("TOCSIN_REQUIRE_REAL") == "1" else None
            return
        until = time.monotonic() + SECONDS
        expected, said = self.adapted(example.expected), self.said(example.command)
        while not matches(expected, said) and "tocsin trace" in example.command and time.monotonic() < until:
            said = self.said(example.command)
        told = f"{name(page)} says that this prints\n{expected}\n\nIt printed\n{said}"
        assert matches(expected, said), f"$ {example.command}\n\n{told}"

    def said(self, command: str) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", self.adapted(command)],
            env={**self.tocsin.environment, "PATH": path},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    def adapted(self, text: str) -> str:
        for shown, used in self.instead.items():
            text = text.replace(shown, used)
        return text

    def compare_greeting(self, block: Block) -> None:
        shown = re.sub(r"sign-in/[^/]+/", f"sign-in/{ANYTHING}/", self.adapted(block.text))
        shown = shown.replace("/home/you/.local/share/tocsin", str(self.tocsin.data_dir))
        for line in filter(str.strip, shown.splitlines()):
            assert any(matches(line, greeted) for greeted in self.tocsin.output), line

    def start(self, block: Block) -> None:
        """Run the receiver that a page has its reader write."""
        script = self.folder / "receiver.py"
        script.write_text(block.text.replace("9000", self.instead[":9000"][1:]))
        self.script = self.running.enter_context(
            subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        )
        self.running.callback(self.script.terminate)
        port = int(self.instead[":9000"][1:])
        self.tocsin.wait(lambda: _listens(port), "the page's receiver")

    def printed(self) -> list[str]:
        """What that receiver printed, once it has ended."""
        assert self.script is not None
        self.script.terminate()
        return self.script.communicate(timeout=10)[0].splitlines()


def _listens(port: int) -> bool:
    done = subprocess.run(
        ["bash", "-c", f": < /dev/tcp/127.0.0.1/{port}"], stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    recorded = ROOT / "tests/fixtures/drivers/alertmanager/highcpu-partly-resolved.json"
    shutil.copy(recorded, tmp_path / "payload.json")
    with ExitStack() as running:
        tocsin = running.enter_context(Tocsin())
        instead = {
            "http://127.0.0.1:8420": tocsin.url,
            "https://hooks.slack.com/services/T000/B000/XXXX": running.enter_context(slack()).url,
            "--smtp-port 25": f"--smtp-port {running.enter_context(mail_server()).port}",
            ":9000": f":{running.enter_context(receiver()).port}",
        }
        yield Reader(tocsin, tmp_path, instead, running)


@pytest.mark.parametrize("pages", TOGETHER, ids=lambda pages: pages[0].stem)
def test_examples_do_what_pages_say(reader: Reader, pages: tuple[Path, ...]) -> None:
    told = [line for page in pages for line in re.findall(r"receiver prints `([^`]+)`", page.read_text())]
    if told:
        reader.instead[":9000"] = f":{free_port()}"
    for page in pages:
        reader.follow(page)
    if told:
        assert reader.printed() == told


def test_every_console_example_is_run() -> None:
    followed = {page for pages in TOGETHER for page in pages}
    assert {page for page in PAGES if blocks(page, "console")} == followed


@pytest.mark.parametrize(("expected", "said", "same"), [
    ("a … c", "a b c", True),
    ("a … c", "a b d", False),
    ("a\n…\nd", "a\nb\nc\nd", True),
    ("a\n…\nd", "a\nd", True),
    ("a\n…", "b\nc", False),
    ("", "", True),
    ("", "something", False),
    ("a", "a\nb", False),
])  # fmt: skip
def test_examples_are_compared_line_by_line(expected: str, said: str, same: bool) -> None:
    assert matches(expected, said) is same


# Names and links.


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no {path}"
        assert not anchor or anchor in anchors(target), f"{link}: {path} has no such heading"


def _tracked() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


TRACKED: Final = [f"/{path}" for path in _tracked()]
MADE_BY_READERS: Final = {"receiver.py", "beacon.py", "gotify.py", "entropy.py", "headline.py"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_and_what_is_in_them_are_there(page: Path) -> None:
    """``path/to/file.py`` and ``path/to/file.py:Class.function`` in backticks; a path may leave out its
    beginning."""
    for path, symbol in re.findall(r"`([\w./-]+\.py)(?::([\w.]+))?`", page.read_text()):
        if Path(path).name in MADE_BY_READERS:
            continue
        found = [ROOT / tracked[1:] for tracked in TRACKED if tracked.endswith(f"/{path}")]
        assert found, f"there is no {path}"
        for part in filter(None, symbol.split(".")):
            defined = re.compile(rf"^\s*(?:(?:async )?def|class) {part}\b|^{part}\b.*=", re.M)
            assert any(defined.search(file.read_text()) for file in found), f"{path} has no {symbol}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_functions_are_there(page: Path) -> None:
    """``Class.function`` in backticks, wherever it is defined."""
    for kind, function in re.findall(r"`([A-Z]\w+)\.(\w+)`", page.read_text()):
        classes = [text for text in SOURCE.values() if re.search(rf"^class {kind}\b", text, re.M)]
        defined = re.compile(rf"^    (?:async )?def {function}\b|^    {function}\b", re.M)
        assert any(defined.search(text) for text in classes), f"there is no {kind}.{function}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_folders_are_there(page: Path) -> None:
    for folder in re.findall(r"`((?:tests|tocsin|docs|bench)/[\w/]*)/`", page.read_text()):
        made_later = folder.startswith("tests/fixtures/drivers/beacon")
        assert made_later or (ROOT / folder).is_dir(), f"there is no {folder}"


def _shell(page: Path) -> Iterator[str]:
    """What a page gives to type: in backticks, and in blocks without their comments."""
    yield from spans(page)
    for block in blocks(page, "sh", "console"):
        yield from (line.partition(" # ")[0] for line in block.text.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_options_are_there(page: Path) -> None:
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", reference.commands(), re.M | re.S))
    for line in _shell(page):
        for command, rest in re.findall(r"(?:^|(?<!-u)\s|bin/)tocsin ([a-z_]+)\b([^|]*)", line):
            assert command in {*get_commands(), "help"}, f"there is no command {command}: {line}"
            for option in re.findall(r"(?<=\s)--[a-z-]+", rest):
                told = sections.get(command, option)
                assert option == "--help" or option in told, f"{command} has no option {option}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_are_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for line in _shell(page):
        for target in re.findall(r"^make ([a-z]+)", line):
            assert target in targets, f"there is no target {target}: {line}"


# The reference.


@pytest.mark.parametrize("page", ["settings.md", "commands.md", "drivers.md"])
def test_the_reference_is_what_the_code_declares(page: str) -> None:
    assert (DOCS / "reference" / page).read_text() == reference.pages()[page], "run make docs"


def _paths(patterns: Iterable[Any]) -> Iterator[str]:
    for found in patterns:
        if isinstance(found, URLPattern):
            yield str(found.pattern)
        elif getattr(found, "namespace", None) != "admin":
            yield from _paths(found.url_patterns)


def test_every_path_is_documented() -> None:
    told = HTTP.read_text()
    ours = _paths(get_resolver().url_patterns)
    for path in [*ours, "admin/", *(path[1:] for path in door._API_PATHS), "alerts/webhook/<driver>/"]:
        shown = re.sub(r"<(?:str|path):", "<", re.sub(r"<(?:\w+:)?(?:\w+_id)>", "<number>", path))
        assert f"`/{shown}`" in told, f"/{shown} is not in {name(HTTP)}"


def test_bounds_are_those_of_the_code() -> None:
    told = HTTP.read_text()
    for most in (limits.MAX_ALERTS, limits.MAX_LABELS, limits.MAX_VALUE, limits.MAX_ANNOTATION):
        assert f"| {most:,}" in told
    assert f"| a fingerprint | {limits.MAX_FINGERPRINT} characters" in told
    assert f"the years {limits._YEARS.start} to {limits._YEARS.stop - 1}" in told


def test_every_answer_of_the_ways_in_is_documented() -> None:
    told = HTTP.read_text()
    for path in ("alerts/intake/door.py", "alerts/intake/request.py"):
        for status, code in re.findall(r'Refused\(\s*(\d+),\s*"(\w+)"', SOURCE[ROOT / "tocsin" / path]):
            assert re.search(rf"^\| {status} \| [^|]*`{code}`", told, re.M), f"{status} {code}"


def test_every_metric_is_documented(db: None) -> None:
    found = re.findall(r"^# TYPE (tocsin_\w+) (\w+)", exposition(clock.now()).decode(), re.M)
    told = "\n".join(spans(OPERATE))
    ours = {metric for metric, _ in found if not metric.endswith("_created")}
    assert len(ours) > 10
    for metric in ours:
        assert metric in told, f"{metric} is not in {name(OPERATE)}"


def test_every_log_event_is_documented() -> None:
    told = set(spans(OPERATE))
    for path, text in SOURCE.items():
        if "demo" not in path.name:
            for event in re.findall(r'logger\.\w+\(\s*"([\w.]+)"', text):
                assert event in told, f"{path.name} logs {event}"


def test_what_a_story_says_is_what_the_code_says() -> None:
    table = OPERATE.read_text().partition("| it says | means |")[2].partition("\n\n")[0]
    said = [row.split("|")[1].strip() for row in table.splitlines()[2:]]
    assert len(said) > 8
    code = "\n".join(SOURCE.values())
    for line in said:
        for part in filter(None, map(str.strip, line.split(ANYTHING))):
            assert part in code, f"nothing says {part!r}"


def test_every_field_of_a_message_is_documented() -> None:
    table = SEND.read_text().partition("| field | meaning |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    assert {field for row in rows for field in row} == {*Message.__struct_fields__}
    alerts = next(line for line in table.splitlines() if line.startswith("| `alerts`"))
    assert {*MessageAlert.__struct_fields__} <= set(re.findall(r"`(\w+)`", alerts))


# Shapes.


def test_architecture_stays_a_map() -> None:
    assert len((DOCS / "architecture.md").read_text().splitlines()) <= 300


def test_decisions_are_numbered_and_short() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert [page.name[:4] for page in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]
    for page in decisions:
        text = page.read_text()
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequences"], page.name
        assert len(text.splitlines()) <= 50, f"{page.name} is longer than a page"


@pytest.mark.parametrize("folder", ["real", "faults", "browser"])
def test_heavy_tests_bear_their_mark(folder: str) -> None:
    """``make test`` runs them apart from the plain ones, by these marks."""
    for module in (ROOT / "tests" / folder).glob("test_*.py"):
        assert re.search(rf"^pytestmark = .*pytest\.mark\.{folder}\b", module.read_text(), re.M), module.name


# What add-a-driver.md has its reader write.


def _written(path: str) -> str:
    """The block that a page gives for a file."""
    for block in blocks(ADD_A_DRIVER):
        if block.before.rstrip().endswith((f"`{path}`:", f"as `{path}`:")):
            return block.text
    raise AssertionError(f"{name(ADD_A_DRIVER)} has no {path}")


def _registry(folder: Path, base: type[Any], *plugins: str) -> Registry[Any]:
    """The plug-ins of a page in a package of their own, found as ours are."""
    package = f"written_{base.__module__.rpartition('.')[2]}_{base.__name__.lower()}"
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text("")
    for plugin in plugins:
        (folder / package / Path(plugin).name).write_text(_written(plugin))
    return Registry(package, base)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for module in set(sys.modules) - known:
        if module.startswith(("written_", "tocsin_beacon")):
            del sys.modules[module]


def test_the_alert_driver_reads_its_payload(folder: Path) -> None:
    registry = _registry(folder, BaseDriver, "tocsin/alerts/drivers/beacon.py")
    assert registry.names() == ["beacon"]
    payload, golden = (block.text.encode() for block in blocks(ADD_A_DRIVER, "json"))
    driver = registry.get("beacon")()
    reading = keep_good(driver.parse(payload))
    assert reading.alerts == msgspec.json.decode(golden, type=list[AlertEvent])
    assert reading.errors == []
    decoded = msgspec.json.decode(payload)
    assert driver.fits(decoded) > max(drivers.get(other)().fits(decoded) for other in drivers.names())


def test_one_bad_alert_does_not_cost_the_drivers_others(folder: Path) -> None:
    driver = _registry(folder, BaseDriver, "tocsin/alerts/drivers/beacon.py").get("beacon")()
    reading = driver.parse(b'{"beacon": "2", "monitors": [{"monitor": "a", "state": "down"}, {"state": 1}]}')
    assert [alert.name for alert in reading.alerts] == ["a"]
    assert [problem.index for problem in reading.errors] == [1]


def test_the_driver_is_found_by_its_entry_point(folder: Path) -> None:
    (folder / "tocsin_beacon.py").write_text(_written("tocsin/alerts/drivers/beacon.py"))
    [project] = [tomllib.loads(block.text)["project"] for block in blocks(ADD_A_DRIVER, "toml")]
    [(group, entries)] = project["entry-points"].items()
    told = "".join(f"{entry} = {target}\n" for entry, target in entries.items())
    information = folder / "tocsin_beacon-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: tocsin-beacon\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{group}]\n{told}")
    registry = Registry(group, BaseDriver)
    assert {"beacon", "generic"} <= set(registry.names())
    assert registry.get("beacon").__module__ == "tocsin_beacon"


async def test_the_notify_driver_sends(folder: Path, receiver: Receiver) -> None:
    kind = _registry(folder, BaseNotifyDriver, "tocsin/notify/drivers/gotify.py").get("gotify")
    driver = kind(kind.Config(url=receiver.url, token="secret"))
    receiver.default.body = b'{"id": 25}'
    client = Client()
    assert await driver.send(sample_message(clock.now(), "trace"), client) == "id=25"
    client.close()
    [request] = receiver.received
    assert request.headers["x-gotify-key"] == "secret"
    assert request.json["title"] == "[TEST] Test message from Tocsin"


def test_the_checker_looks(folder: Path) -> None:
    kind = _registry(folder, BaseChecker, "tocsin/checkers/checks/entropy.py").get("entropy")
    found = kind(kind.Config()).check()
    assert found.checker == "entropy"
    assert found.status in RANK


def test_the_node_gives_a_line(folder: Path) -> None:
    kind = _registry(folder, BaseNode, "tocsin/orchestration/nodes/headline.py").get("headline")
    node = kind(kind.Config(loud=True))
    news = News(1, "HighCPU on web-1", "open", "critical", {}, 1, 1, clock.now(), "trace", "fired", [])
    checks = CheckSet(())
    assert isinstance(node, BatchNode)
    [outcome] = node.run([Walk("run", news, four_stages())], Context(clock.now(), checks), "line")
    assert outcome.output == {"line": "HIGHCPU ON WEB-1: OPEN"}


def test_what_is_shown_keeps_to_our_style(folder: Path) -> None:
    for number, block in enumerate(blocks(ADD_A_DRIVER, "python")):
        (folder / f"shown_{number}.py").write_text(block.text)
    ruff = [str(Path(sys.executable).with_name("ruff")), "--config", str(ROOT / "pyproject.toml")]
    for how in (["check", "--no-cache"], ["format", "--no-cache", "--diff"]):
        done = subprocess.run([*ruff, *how, str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


# Other programs' files.


@pytest.mark.real
@pytest.mark.parametrize("page", [README, CONNECT, OPERATE], ids=name)
def test_other_programs_take_their_files(page: Path, tmp_path: Path) -> None:
    promtool, amtool = require("promtool"), require("amtool")
    check = {
        "# prometheus.yml": [promtool, "check", "config", "--syntax-only"],
        "# rules.yml": [promtool, "check", "rules"],
        "# alertmanager.yml": [amtool, "check-config"],
    }
    for block in blocks(page, "yaml"):
        head = block.text.splitlines()[0]
        file = tmp_path / head.removeprefix("# ")
        file.write_text(block.text)
        done = subprocess.run([*check[head], str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.text}\n{done.stdout}{done.stderr}"
