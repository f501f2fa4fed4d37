"""Reads an ``alertmanager.yml`` as it is: the routing tree, the channels that its receivers become, and line
by line what cannot be carried over."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from tocsin.core.errors import Rejected
from tocsin.core.matchers import EQUAL, REGEX, Matcher, matcher, parse
from tocsin.notify.routing import lines
from tocsin.notify.routing.document import Routing
from tocsin.notify.routing.document import read as read_document
from tocsin.notify.routing.integrations import INTEGRATIONS
from tocsin.notify.routing.lines import Node, Problem, Unsound
from tocsin.notify.routing.receivers import Note, Planned, Receivers, is_url, receivers_of

_DURATION: Final = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_SECONDS: Final = (31_536_000, 604_800, 86_400, 3_600, 60, 1)
_LONGEST_DURATION: Final = 100 * 31_536_000
_TIMINGS: Final = ("group_wait", "group_interval", "repeat_interval")
_PARTS: Final = {
    "global", "route", "receivers", "templates", "inhibit_rules", "time_intervals", "mute_time_intervals",
    "tracing",
}  # fmt: skip
_INTERVALS: Final = ("time_intervals", "mute_time_intervals")
_OURS: Final = (
    "name",
    "channels",
    "holidays",
    "except_holidays",
)  # fields of our trees, none of Alertmanager's
_LOST: Final = {"http_config", "smtp_hello", "smtp_tls_config", "smtp_auth_identity", "smtp_auth_secret"}
_STANDING_IN: Final = {name for known in INTEGRATIONS.values() for name in known.shared.values()} | {
    "victorops_api_url", "wechat_api_url", "webex_api_url", "rocketchat_api_url"
}  # fmt: skip
_EQUAL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


class InhibitRule(msgspec.Struct, frozen=True):
    """While an alert fires that meets ``source``, those are silent that meet ``target`` and have the same
    values of the labels ``equal``."""

    name: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


class Imported(msgspec.Struct, frozen=True):
    """What a file came to. ``channels`` hold secrets."""

    routing: Routing
    channels: list[Planned]
    inhibit_rules: list[InhibitRule]
    templates: list[str]
    notes: list[Note]


def read_file(file: Path) -> Imported:
    """Read a file and the secrets it names. Raises Rejected, or Unsound, which tells all that is wrong."""
    try:
        with file.open("rb") as opened:
            text = opened.read(lines.MAX_BYTES + 1)
    except OSError as error:
        raise Rejected(f"cannot read {file}: {error.strerror}") from error
    return read(text, file.absolute().parent)


def read(text: str | bytes, folder: Path | None = None) -> Imported:
    """Read the text of a file. Those it names are read relative to ``folder``; without one, none are.

    Raises Unsound, which tells all that is wrong.
    """
    root = lines.read(text)
    reading = _Reading(root, folder)
    document = reading.document()
    problems = reading.all_problems()
    routing = None
    try:
        routing = read_document(document, reading.places())
    except Unsound as error:
        problems += error.problems
    if routing is None or problems:
        raise Unsound(sorted(problems, key=lambda problem: problem.line))
    rules, templates = reading.inhibit_rules, reading.templates
    return Imported(routing, reading.receivers.channels, rules, templates, reading.all_notes())


class _Reading:
    """Makes our document of the file's parts, and gathers what is to be told."""

    def __init__(self, root: Node, folder: Path | None) -> None:
        self.inhibit_rules: list[InhibitRule] = []
        self.templates: list[str] = []
        self.receivers = Receivers(root.get("global"), folder)
        self._root = root
        self._notes: list[Note] = []
        self._problems: list[Problem] = []

    def all_problems(self) -> list[Problem]:
        return self._problems + self.receivers.problems

    def all_notes(self) -> list[Note]:
        return sorted(self._notes + self.receivers.notes, key=lambda note: note.line)

    def places(self) -> Node:
        """Where the parts of our document were written: intervals may be under an older name too."""
        named = [one for part in _INTERVALS if (node := self._root.get(part)) for one in node.items()]
        below = {**self._root.fields(), "time_intervals": Node(self._root.line, ("time_intervals",), named)}
        return msgspec.structs.replace(self._root, value=below)

    def document(self) -> dict[str, Any]:
        """The routing tree as we write it."""
        self._parts()
        self._global()
        found = {
            "route": self._route(self._root.get("route")),
            "receivers": self._receivers(),
            "time_intervals": [one for part in _INTERVALS for one in self._intervals(part)],
        }
        self.inhibit_rules = list(self._inhibitions())
        self.templates = self._templates()
        return found

    def _parts(self) -> None:
        for name, node in self._root.fields().items():
            if name not in _PARTS:
                self._wrong(node, "there is no such field")
        if "tracing" in self._root.fields():
            self._note(self._root.fields()["tracing"], "nothing is traced this way", "it is left out")

    def _global(self) -> None:
        """What stands in for all receivers is taken where they are read."""
        shared = self._root.get("global")
        for name, node in shared.fields().items() if shared else ():
            plain = name.removesuffix("_file")
            if node.value is None:
                continue
            if name.endswith("_url") and not is_url(node.value):
                self._wrong(node, "it is no URL: http:// or https:// and a host are expected")
            elif plain != name and shared and shared.get(plain):
                self._wrong(node, f"at most one of {plain} and {name} can be given")
            elif name == "resolve_timeout":
                self._seconds(node)
                self._note(node, "it is set for the whole installation", "TOCSIN_RESOLVE_TIMEOUT")
            elif plain in _LOST:
                self._note(node, "connections are made without it", "it is left out")
            elif plain not in _STANDING_IN:
                self._note(node, "nobody here knows this field", "it is left out")

    def _route(self, route: Node | None) -> Any:
        if route is None:
            self._wrong(self._root, "there is no route")
            return {"channels": []}
        return self._routed(route)

    def _routed(self, route: Node) -> Any:
        """A route with its times in whole seconds, and without what only our own trees have."""
        if not isinstance(route.value, dict):
            return route.plain()
        found = {name: node.plain() for name, node in route.fields().items() if node.value is not None}
        for name in set(_OURS) & found.keys():
            self._wrong(route.fields()[name], "there is no such field")
            del found[name]
        if found.pop("labels", None) is not None:
            self._note(
                route.fields()["labels"], "a route's labels are not given to its alerts", "they are left out"
            )
        if not found.get("group_by", True):
            del found["group_by"]  # Alertmanager takes an empty list as none given
        for name in set(_TIMINGS) & found.keys():
            found[name] = self._seconds(route.fields()[name])
        if (below := route.get("routes")) and isinstance(below.value, list):
            found["routes"] = [self._routed(one) for one in below.items()]
        return found

    def _seconds(self, node: Node) -> int:
        """A duration as Alertmanager writes it. What is no whole second is rounded up."""
        text = node.value if isinstance(node.value, str) else ""
        found = _DURATION.fullmatch(text) if text and len(text) < 40 else None
        if found is None and text != "0":
            self._wrong(node, f"{text[:40]!r} is no duration: write it as 30s, 5m or 1h30m")
            return 1
        *whole, milliseconds = (int(part or 0) for part in found.groups()) if found else (0,) * 7
        if milliseconds % 1_000:
            self._note(node, "times are whole seconds here", "it is rounded up")
        total = sum(part * size for part, size in zip(whole, _SECONDS, strict=True))
        return min(total - (-milliseconds // 1_000), _LONGEST_DURATION)

    def _receivers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for receiver in receivers_of(self._root):
            name = receiver.text("name")
            if not name:
                self._wrong(receiver, "a receiver needs a name")
            elif name in found:
                self._wrong(receiver, f"there is another receiver named {name!r}")
            channels = self.receivers.read(receiver)
            if name and not channels:
                self._note(receiver, f"no channel is made of the receiver {name!r}", "its routes tell nobody")
            if name:
                found[name] = channels
        return found

    def _intervals(self, part: str) -> Iterator[Any]:
        found = self._root.get(part)
        for named in found.items() if found else ():
            document = named.plain()
            for place, one in enumerate((named.get("time_intervals") or named).items()):
                if one.text("location") == "Local":
                    self._note(one, "Local is the zone of the machine", "that of the machine Tocsin runs on")
                for name in set(_OURS) & one.fields().keys():
                    self._wrong(one.fields()[name], "there is no such field")
                    del document["time_intervals"][place][name]
            yield document

    def _inhibitions(self) -> Iterator[InhibitRule]:
        found = self._root.get("inhibit_rules")
        for rule in found.items() if found else ():
            known = {
                f"{side}_{way}" for side in ("source", "target") for way in ("match", "match_re", "matchers")
            }
            for name, node in rule.fields().items():
                if name not in known | {"equal", "name"}:
                    self._wrong(node, "there is no such field")
            equal = rule.get("equal")
            source, target = (tuple(self._matchers(rule, side)) for side in ("source", "target"))
            labels = tuple(str(label.value) for label in (equal.items() if equal else ()))
            yield InhibitRule(rule.text("name"), source, target, labels)

    def _matchers(self, rule: Node, side: str) -> Iterator[Matcher]:
        written = rule.get(f"{side}_matchers")
        for node in written.items() if written else ():
            yield from self._parsed(node, lambda node=node: parse(str(node.value)))
        for field, operator in ((f"{side}_match", EQUAL), (f"{side}_match_re", REGEX)):
            given = rule.get(field)
            for name, node in given.fields().items() if given else ():
                if not _EQUAL.fullmatch(name):
                    self._wrong(node, f"invalid label name {name!r}")
                yield from self._parsed(
                    node,
                    lambda name=name, operator=operator, node=node: [
                        matcher(name, operator, str(node.value))
                    ],
                )

    def _parsed(self, node: Node, read: Any) -> list[Matcher]:
        try:
            found: list[Matcher] = read()
            return found
        except Rejected as error:
            self._wrong(node, str(error))
            return []

    def _templates(self) -> list[str]:
        found = self._root.get("templates")
        for node in found.items() if found else ():
            self._note(
                node, "Go templates are not read", "Tocsin's own wording, or a template of the channel"
            )
        return [str(node.value) for node in (found.items() if found else ())]

    def _note(self, node: Node, what: str, instead: str) -> None:
        self._notes.append(Note(node.line, node.path, what, instead))

    def _wrong(self, node: Node, message: str) -> None:
        self._problems.append(Problem(node.line, node.path, message))
