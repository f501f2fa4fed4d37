"""``tocsin monitor``: what is looked at again and again."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.checkers import monitors, plan
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.management.telling import EXIT, Checked, checked, show
from tocsin.checkers.models import Monitor
from tocsin.checkers.pairs import read_pairs
from tocsin.checkers.plan import Step
from tocsin.checkers.setup import Setup, duration, usable
from tocsin.checkers.told import MonitorTold, told
from tocsin.core import clock
from tocsin.core.durations import compact, lasting
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Piece, Screen, age, styled
from tocsin.db.command import TellingCommand, accept_json

_MARKS: dict[str, Piece] = {
    "add": ("+", "green"), "change": ("~", "yellow"), "keep": ("=", "dim"), "remove": ("-", "red")
}  # fmt: skip
_STANDARD = Setup("", "")


class Added(msgspec.Struct):
    """The monitor that was made."""

    added: MonitorTold


class Monitors(msgspec.Struct):
    """All of them."""

    monitors: list[MonitorTold]


class Shown(msgspec.Struct):
    """One of them."""

    monitor: MonitorTold


class Done(msgspec.Struct):
    """What was done to which."""

    name: str
    done: str


class Applied(msgspec.Struct):
    """What a file made of the monitors there are."""

    steps: list[Step]
    dry_run: bool


Answer = Added | Monitors | Shown | Checked | Done | Applied


class Command(TellingCommand[Answer]):
    help = "Make, list, try and remove monitors: what is looked at again and again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        words = "add | list | show | run | enable | disable | remove | apply"
        actions = parser.add_subparsers(dest="action", required=True, metavar=words)
        parsers = [_accept_add(actions.add_parser("add", help="make one; it looks at once"))]
        parsers.append(actions.add_parser("list", help="show all and how they fare"))
        for word, meaning in (
            ("show", "one in full, secrets as dots"),
            ("run", "look once, now; the exit code is its status: 0 ok, 1 warning, 2 critical, 3 unknown"),
            ("enable", "let it look again"),
            ("disable", "let it look no more; its alert ends"),
            ("remove", "let go of one and of its results"),
        ):
            parsers.append(actions.add_parser(word, help=meaning))
            parsers[-1].add_argument("name")
        parsers.append(actions.add_parser("apply", help="have the monitors of a TOML file, as it says"))
        parsers[-1].add_argument("file", help="with a table [monitors.NAME] for each")
        parsers[-1].add_argument("--dry-run", action="store_true", help="print what would be done")
        for one in parsers:
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Answer:
        action, now = options["action"], clock.now()
        if action == "add":
            return Added(told(monitors.create(setup=_setup(options), origin=Monitor.CLI, now=now)))
        if action == "list":
            return Monitors([told(monitor) for monitor in Monitor.objects.order_by("name")])
        if action == "apply":
            steps = plan.apply(plan.wanted(options["file"]), now, options["dry_run"])
            return Applied(steps, options["dry_run"])
        found = monitors.named(options["name"])
        if action == "show":
            return Shown(told(found))
        if action == "run":
            return self._run(found, now)
        return _act(action, found, now)

    def _run(self, monitor: Monitor, now: datetime) -> Checked:
        found: CheckResult = monitors.look_now(monitor=monitor, now=now)
        self.exit_code = EXIT[found.status]
        return checked([found])

    def show(self, found: Answer, screen: Screen) -> None:
        if isinstance(found, Added):
            screen.line(("✓", "green"), f"Monitor {found.added.name} looks every {_every(found.added)}.")
            screen.line(f"Try it: tocsin monitor run {found.added.name}")
        elif isinstance(found, Monitors):
            _show_list(found.monitors, screen)
        elif isinstance(found, Shown):
            _show_one(found.monitor, screen)
        elif isinstance(found, Checked):
            show(found, screen)
        elif isinstance(found, Applied):
            _show_steps(found, screen)
        else:
            screen.line(("✓", "green"), f"{found.name} is {found.done}.")


def _accept_add(parser: CommandParser) -> CommandParser:
    parser.add_argument("name", help="what you call it, such as shop")
    parser.add_argument("--checker", required=True, help=f"one of {', '.join(usable())}")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="key=value", dest="pairs",
        help="the checker's options; tocsin run_check CHECKER --help tells them",
    )  # fmt: skip
    parser.add_argument(
        "--interval", default=compact(_STANDARD.interval), metavar="DURATION",
        help="how often it looks, 10s to 1d",
    )  # fmt: skip
    parser.add_argument(
        "--jitter", type=float, default=_STANDARD.jitter, metavar="SHARE",
        help="share of the interval by which looks are moved, so that many do not look at once",
    )  # fmt: skip
    parser.add_argument(
        "--failures", type=int, default=_STANDARD.failures, metavar="N",
        help="results in a row that are not ok before it fires",
    )  # fmt: skip
    parser.add_argument(
        "--recoveries", type=int, default=_STANDARD.recoveries, metavar="N",
        help="results in a row that are ok before it recovers",
    )  # fmt: skip
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE",
        help="a label of its alert; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--severity", action="append", default=[], metavar="STATUS=SEVERITY",
        help="what a status is as an alert, such as unknown=critical; may be given several times",
    )  # fmt: skip
    return parser


def _setup(options: Mapping[str, Any]) -> Setup:
    return Setup(
        name=options["name"],
        checker=options["checker"],
        options=read_pairs(options["checker"], options["pairs"]),
        interval=duration("interval", options["interval"]),
        jitter=options["jitter"],
        failures=options["failures"],
        recoveries=options["recoveries"],
        labels=dict(_pair("--label", given) for given in options["label"]),
        severities=dict(_pair("--severity", given) for given in options["severity"]),
    )


def _pair(option: str, given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise Rejected(f"{option} {given[:64]!r} must be given as name=value")
    return name.strip(), value.strip()


def _act(action: str, monitor: Monitor, now: datetime) -> Done:
    acts: dict[str, tuple[Callable[[], object], str]] = {
        "enable": (lambda: monitors.enable(monitor_id=monitor.pk, enabled=True, now=now), "enabled"),
        "disable": (lambda: monitors.enable(monitor_id=monitor.pk, enabled=False, now=now), "disabled"),
        "remove": (lambda: monitors.remove(monitor_id=monitor.pk, now=now), "removed"),
    }
    act, done = acts[action]
    act()
    return Done(monitor.name, done)


def _every(monitor: MonitorTold) -> str:
    return lasting(monitor.interval)


def _show_list(found: list[MonitorTold], screen: Screen) -> None:
    if not found:
        screen.line("There is no monitor yet. Make one:")
        screen.line("tocsin monitor add NAME --checker http --set url=https://… --interval 1m")
        return
    columns = ("monitor", "state", "checker", "target", "every", "since", "last result")
    screen.table(columns, [_row(monitor) for monitor in found])


def _row(monitor: MonitorTold) -> list[Piece]:
    since = age(monitor.since, clock.now()) if monitor.since else ""
    return [
        (monitor.name, "bold"), styled(monitor.state), monitor.checker, monitor.target, _every(monitor),
        since, monitor.last_message,
    ]  # fmt: skip


def _show_one(monitor: MonitorTold, screen: Screen) -> None:
    now = clock.now()
    screen.line((monitor.name, "bold"), styled(monitor.state), monitor.last_message)
    screen.facts(
        [
            ("id", monitor.id),
            ("checker", monitor.checker),
            ("target", monitor.target),
            ("interval", _every(monitor)),
            ("fires after", f"{monitor.failures} in a row"),
            ("recovers after", f"{monitor.recoveries} in a row"),
            ("labels", _told(monitor.labels)),
            ("options", _told(monitor.options)),
            ("made by", monitor.origin),
            ("since", f"{age(monitor.since, now)} ago" if monitor.since else ""),
            ("last look", f"{age(monitor.last_run_at, now)} ago" if monitor.last_run_at else ""),
            ("page", monitor.url),
        ],
        indent=2,
    )


def _told(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in values.items())


def _show_steps(applied: Applied, screen: Screen) -> None:
    for step in applied.steps:
        if step.kind != "keep":
            screen.line(_MARKS[step.kind], step.monitor, (", ".join(step.changes), "dim"))
    count = {kind: sum(step.kind == kind for step in applied.steps) for kind in _MARKS}
    done = "would be" if applied.dry_run else "were"
    screen.line(
        f"{count['add']} {done} added, {count['change']} changed, {count['remove']} removed; "
        f"{count['keep']} are as the file says."
    )
