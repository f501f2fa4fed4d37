"""What an agent checks, how often, and where it sends that: from the environment and a TOML file."""

import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tocsin.agent import enrolment
from tocsin.checkers.checks import BaseChecker, CheckResult, Options, checkers
from tocsin.checkers.running import build
from tocsin.core import config
from tocsin.core.errors import Misconfigured, TocsinError, UnknownPlugin

if TYPE_CHECKING:
    from tocsin.agent.allowed import Allowed

USUAL_FILE: Final = Path("/etc/tocsin/agent.toml")
INTERVAL: Final = 60.0
SHORTEST: Final = 1.0
LONGEST: Final = 86_400.0
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EVERYWHERE: Final = re.compile(r"^    everywhere\b[^=\n]*= True\b", re.M)
T = TypeVar("T", bool, float, str)


@dataclass(frozen=True)
class Check:
    """One thing to look at."""

    id: str
    checker: str
    interval: float
    built: BaseChecker[Options]


@dataclass(frozen=True)
class Settings:
    """All that an agent needs to know. ``hub`` is never empty."""

    hub: str
    instance_id: str
    hostname: str
    interval: float
    checks: list[Check]
    folder: Path
    key: str = field(repr=False)
    secret: str = field(repr=False)
    authority: str
    max_bytes: int
    max_age: float
    remarks: list[str]
    commands: "Mapping[str, Allowed]" = field(default_factory=dict)


@dataclass(frozen=True)
class _Told:
    """What the TOML file says."""

    path: Path | None
    hub: str = ""
    interval: float = INTERVAL
    defaults: bool = True
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    commands: "Mapping[str, Allowed]" = field(default_factory=dict)


class _Absent(BaseChecker[Options]):
    """Stands for a checker that cannot be loaded here: unknown, and why."""

    def __init__(self, why: str) -> None:
        super().__init__(Options())
        self._why = why

    def check(self) -> CheckResult:
        raise RuntimeError(self._why)


def folder() -> Path:
    """Where the agent keeps what it must not forget."""
    return config.data_dir() / "agent"


def read(path: Path | None, only: list[str] | None = None) -> Settings:
    """Settings, with all checks built, or ``only`` those. Raises Misconfigured, which says where."""
    told = _told(path)
    enrolled = enrolment.kept(folder())
    hub = (config.text("HUB_URL") or told.hub or (enrolled.hub if enrolled else "")).rstrip("/")
    if not hub:
        raise Misconfigured(
            "HUB_URL is not set: it names the hub to send to, such as https://tocsin.example.com"
        )
    ours = enrolled if enrolled is not None and enrolled.hub == hub else None
    return Settings(
        hub=hub,
        instance_id=ours.instance_id if ours else config.instance_id(),
        hostname=socket.gethostname(),
        interval=told.interval,
        checks=_checks(told, only),
        folder=folder(),
        key=ours.key if ours else "",
        secret=config.webhook_secret("cluster"),
        authority=config.text("TOCSIN_HUB_CA"),
        max_bytes=config.number("TOCSIN_SPOOL_MAX_MB") * 1_000_000,
        max_age=config.number("TOCSIN_SPOOL_MAX_AGE"),
        remarks=_remarks(enrolled, ours),
        commands=told.commands,
    )


def _remarks(enrolled: enrolment.Enrolment | None, ours: enrolment.Enrolment | None) -> list[str]:
    given = config.text("INSTANCE_ID")
    if enrolled is not None and ours is None:
        return [f"enrolled with {enrolled.hub}, which is not the hub to send to: its key is not used"]
    if ours is not None and given and given != ours.instance_id:
        return [f"INSTANCE_ID={given} does not count: enrolled as {ours.instance_id}"]
    return []


def _told(path: Path | None) -> _Told:
    if path is None:
        given = config.text("TOCSIN_AGENT_CONFIG")
        path = Path(given) if given else USUAL_FILE if USUAL_FILE.exists() else None
    if path is None:
        return _Told(None)
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} is no TOML: {error}") from error
    return _understood(path, document)


def _understood(path: Path, document: dict[str, Any]) -> _Told:
    told = _Told(
        path,
        _field(document, "hub", "", str, f"{path}: hub"),
        _interval(document, INTERVAL, f"{path}: interval"),
        _field(document, "defaults", True, bool, f"{path}: defaults"),
        _tables(document.pop("checks", {}), path),
        _commands(document.pop("commands", {}), path),
    )
    if document:
        known = "hub, interval, defaults and tables [checks.<id>] and [commands.<name>]"
        raise Misconfigured(f"{path}: {next(iter(document))}: there is no such field; there are {known}")
    return told


def _tables(checks: object, path: Path) -> dict[str, dict[str, Any]]:
    if not isinstance(checks, dict):
        raise Misconfigured(f"{path}: checks: expected tables [checks.<id>]")
    for name, table in checks.items():
        if not _ID.fullmatch(name):
            raise Misconfigured(
                f"{path}: [checks.{name}]: an id is of letters, digits, dots, - and _, up to 64"
            )
        if not isinstance(table, dict):
            raise Misconfigured(f"{path}: checks.{name}: expected a table [checks.{name}]")
    return checks


def _commands(tables: object, path: Path) -> "Mapping[str, Allowed]":
    if tables == {}:
        return {}
    from tocsin.agent import allowed  # with it comes re2: those that allow nothing stay as small as they are

    return allowed.read(tables, path)


def _field(table: dict[str, Any], name: str, default: T, kind: type[T], where: str) -> T:
    found = table.pop(name, default)
    if isinstance(found, bool) != (kind is bool) or not isinstance(found, kind):
        word = {bool: "true or false", str: "a text", float: "a number"}[kind]
        raise Misconfigured(f"{where}: expected {word}")
    return found


def _interval(table: dict[str, Any], default: float, where: str) -> float:
    if isinstance(table.get("interval"), int) and not isinstance(table["interval"], bool):
        table["interval"] = float(table["interval"])
    found = _field(table, "interval", default, float, where)
    if not SHORTEST <= found <= LONGEST:
        raise Misconfigured(f"{where}: expected seconds, {SHORTEST:g} to {LONGEST:g}")
    return found


def _checks(told: _Told, only: list[str] | None) -> list[Check]:
    tables = {name: dict(table) for name, table in told.checks.items()}
    wanted = _wanted(told, only, tables)
    made = [_check(name, tables.get(name, {}), told) for name in wanted]
    skipped = set(config.words("CHECKERS_SKIP"))
    return [check for check in made if not skipped & {check.id, check.checker}]


def _wanted(told: _Told, only: list[str] | None, tables: Mapping[str, object]) -> list[str]:
    if config.flag("CHECKERS_SKIP_ALL"):
        return []
    if only is None:
        skipped = set(config.words("CHECKERS_SKIP"))
        usual = [name for name in everywhere() if name not in skipped] if told.defaults else []
        return [*tables, *(name for name in usual if name not in tables)]
    known = {*tables, *checkers.names()}
    for name in only:
        if name not in known:
            raise Misconfigured(f"--checkers: there is no check {name!r}; known: {', '.join(sorted(known))}")
    return list(dict.fromkeys(only))


def _check(name: str, table: dict[str, Any], told: _Told) -> Check:
    where = f"{told.path}: [checks.{name}]" if name in told.checks else "checks"
    kind = _field(table, "checker", name, str, f"{where}: checker")
    interval = _interval(table, told.interval, f"{where}: interval")
    return Check(name, kind, interval, _located(where, lambda: _built(kind, table)))


def _built(kind: str, options: Mapping[str, Any]) -> BaseChecker[Options]:
    try:
        return build(kind, options, trusted=True)  # who may write the file may do all that the agent may
    except ImportError as error:
        return _Absent(f"the checker {kind} cannot be loaded here: {error}")


def _located(where: str, make: Callable[[], BaseChecker[Options]]) -> BaseChecker[Options]:
    try:
        return make()
    except UnknownPlugin as error:
        raise Misconfigured(f"{where}: checker: {error}") from error
    except TocsinError as error:
        raise Misconfigured(f"{where}: {error}") from error


def everywhere() -> list[str]:
    """The checkers that have something to look at on every machine.

    Ours are not imported to find out: all of them together take as much memory as the agent itself.
    """
    return [name for name in checkers.names() if _is_everywhere(name)]


def _is_everywhere(name: str) -> bool:
    found = find_spec(f"{checkers.package}.{name}")
    if found is not None and found.origin is not None:
        return bool(_EVERYWHERE.search(Path(found.origin).read_text()))
    try:
        return checkers.get(name).everywhere
    except (ImportError, UnknownPlugin):
        return False
