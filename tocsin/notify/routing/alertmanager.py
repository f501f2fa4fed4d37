"""Reads an ``alertmanager.yml`` as it is: the routing tree, the channels that its receivers become, and line
by line what cannot be carried over."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from tocsin.core.errors import Rejected
from tocsin.core.matchers import EQUAL, REGEX, Matcher, matcher, parse
from tocsin.notify.routing import lines
from tocsin.notify.routing.document import Routing
from tocsin.notify.routing.document import read as read_document
from tocsin.notify.routing.findings import YES, Findings, Note
from tocsin.notify.routing.inhibition import InhibitRule
from tocsin.notify.routing.integrations import INTEGRATIONS
from tocsin.notify.routing.lines import Node, Unsound
from tocsin.notify.routing.receivers import Planned, Receivers, is_address, is_url

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
_INHIBITING: Final = {
    *(f"{side}_{way}" for side in ("source", "target") for way in ("match", "match_re", "matchers")),
    "equal", "name",
}  # fmt: skip
_INTERVALS: Final = ("time_intervals", "mute_time_intervals")
_OURS: Final = (
    "name",
    "channels",
    "holidays",
    "except_holidays",
)  # fields of our trees, none of Alertmanager's
_LOST: Final = {"http_config", "smtp_hello", "smtp_tls_config", "smtp_auth_identity", "smtp_auth_secret"}
_MAPPINGS: Final = ("http_config", "smtp_tls_config")
_STANDING_IN: Final = {name for known in INTEGRATIONS.values() for name in known.shared.values()} | {
    "victorops_api_url", "wechat_api_url", "webex_api_url", "rocketchat_api_url"
}  # fmt: skip
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def _one(name: str, operator: str, value: str) -> list[Matcher]:
    return [matcher(name, operator, value)]


def _goes_on(route: Node) -> bool:
    return isinstance(route.value, dict) and str(route.plain().get("continue")).lower() in YES


def _without_null(given: Any) -> Any:
    """Alertmanager takes null as an empty text."""
    if isinstance(given, dict):
        return {name: "" if value is None else value for name, value in given.items()}
    return ["" if value is None else value for value in given] if isinstance(given, list) else given


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
    problems = reading.findings.problems
    routing = None
    try:
        routing = read_document(document, reading.places())
    except Unsound as error:
        problems = problems + error.problems
    if routing is None or problems:
        raise Unsound(sorted(problems, key=lambda problem: problem.line))
    rules, templates = reading.inhibit_rules, reading.templates
    notes = sorted(reading.findings.notes, key=lambda note: note.line)
    return Imported(routing, reading.receivers.channels, rules, templates, notes)


class _Reading:
    """Makes our document of the file's parts, and gathers what is to be told."""

    def __init__(self, root: Node, folder: Path | None) -> None:
        self.inhibit_rules: list[InhibitRule] = []
        self.templates: list[str] = []
        self.findings = Findings()
        self.receivers = Receivers(root.get("global"), folder, self.findings)
        self._root = root

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
        for name, node in self.findings.mapped(self._root).items():
            if name not in _PARTS:
                self.findings.wrong(node, "there is no such field")
        if "tracing" in self._root.fields():
            self.findings.note(self._root.fields()["tracing"], "nothing is traced this way", "it is left out")

    def _global(self) -> None:
        """What stands in for all receivers is taken where they are read."""
        shared = self._root.get("global")
        for name, node in self.findings.mapped(shared).items():
            plain = name.removesuffix("_file")
            if node.value is None:
                continue
            self._global_kind(name, node)
            if plain != name and shared and shared.get(plain):
                self.findings.wrong(node, f"at most one of {plain} and {name} can be given")
            elif name == "resolve_timeout":
                self._seconds(node)
                self.findings.note(node, "it is set for the whole installation", "TOCSIN_RESOLVE_TIMEOUT")
            elif plain in _LOST:
                self.findings.note(node, "connections are made without it", "it is left out")
            elif plain not in _STANDING_IN:
                self.findings.note(node, "nobody here knows this field", "it is left out")

    def _global_kind(self, name: str, node: Node) -> None:
        """Complain where this is not what such a field takes."""
        if name in _MAPPINGS:
            self.findings.mapped(node)
        elif name == "smtp_require_tls":
            self.findings.flag(node, True)
        elif name == "smtp_smarthost" and not is_address(node.value):
            self.findings.wrong(node, "an address with a port is expected, such as mail.example.com:587")
        elif name.endswith("_url") and not is_url(node.value):
            self.findings.wrong(node, "it is no URL: http:// or https:// and a host are expected")
        elif name in _STANDING_IN:
            self.findings.scalar(node)

    def _route(self, route: Node | None) -> Any:
        if route is None:
            self.findings.wrong(self._root, "there is no route")
            return {"channels": []}
        routed = self._routed(route)
        if isinstance(routed, dict):
            routed.setdefault("group_by", [])  # there, a route that says nothing makes one group
        return routed

    def _routed(self, route: Node, above: Sequence[Any] = ()) -> Any:
        """A route with its times in whole seconds, and without what only our own trees have."""
        if not isinstance(route.value, dict):
            return route.plain()
        found = {name: node.plain() for name, node in route.fields().items() if node.value is not None}
        for name in set(_OURS) & found.keys():
            self.findings.wrong(route.fields()[name], "there is no such field")
            del found[name]
        if found.pop("labels", None) is not None:
            self.findings.note(
                route.fields()["labels"], "a route's labels are not given to its alerts", "they are left out"
            )
        for name in {"match", "matchers"} & found.keys():
            found[name] = _without_null(found[name])
        if not found.get("group_by", True):
            del found["group_by"]  # Alertmanager takes an empty list as none given
        for name in set(_TIMINGS) & found.keys():
            found[name] = self._seconds(route.fields()[name])
        if (below := route.get("routes")) and isinstance(below.value, list):
            group_by = found.get("group_by", above)
            self._note_groups(below.items(), group_by)
            found["routes"] = [self._routed(one, group_by) for one in below.items()]
        return found

    def _note_groups(self, routes: Sequence[Node], above: Sequence[Any]) -> None:
        """Routes that come after one which goes on, and would group otherwise."""
        first = None
        for route in routes:
            given = route.fields().get("group_by") if isinstance(route.value, dict) else None
            group_by = given.plain() if given and given.value else above
            if first is not None and group_by != first:
                self.findings.note(
                    given or route,
                    "an alert is grouped once, by the first route that takes it",
                    "what a route before it takes too is told in the groups of that one",
                )
            if first is None and _goes_on(route):
                first = group_by

    def _seconds(self, node: Node) -> int:
        """A duration as Alertmanager writes it. What is no whole second is rounded up."""
        text = node.value if isinstance(node.value, str) else ""
        found = _DURATION.fullmatch(text) if text and len(text) < 40 else None
        if found is None and text != "0":
            self.findings.wrong(node, f"{text[:40]!r} is no duration: write it as 30s, 5m or 1h30m")
            return 1
        *whole, milliseconds = (int(part or 0) for part in found.groups()) if found else (0,) * 7
        if milliseconds % 1_000:
            self.findings.note(node, "times are whole seconds here", "it is rounded up")
        total = sum(part * size for part, size in zip(whole, _SECONDS, strict=True))
        return min(total - (-milliseconds // 1_000), _LONGEST_DURATION)

    def _receivers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for receiver in self.findings.listed(self._root.get("receivers")):
            name = receiver.text("name")
            self.findings.mapped(receiver)
            if not name:
                self.findings.wrong(receiver, "a receiver needs a name")
            elif name in found:
                self.findings.wrong(receiver, f"there is another receiver named {name!r}")
            channels = self.receivers.read(receiver)
            if name and not channels:
                self.findings.note(
                    receiver, f"no channel is made of the receiver {name!r}", "its routes tell nobody"
                )
            if name:
                found[name] = channels
        return found

    def _intervals(self, part: str) -> Iterator[Any]:
        found = self._root.get(part)
        for named in found.items() if found else ():
            document = named.plain()
            for place, one in enumerate((named.get("time_intervals") or named).items()):
                if one.text("location") == "Local":
                    self.findings.note(
                        one, "Local is the zone of the machine", "that of the machine Tocsin runs on"
                    )
                for name in set(_OURS) & one.fields().keys():
                    self.findings.wrong(one.fields()[name], "there is no such field")
                    del document["time_intervals"][place][name]
            yield document

    def _inhibitions(self) -> Iterator[InhibitRule]:
        for rule in self.findings.listed(self._root.get("inhibit_rules")):
            for name, node in self.findings.mapped(rule).items():
                if name not in _INHIBITING:
                    self.findings.wrong(node, "there is no such field")
            source, target = (tuple(self._matchers(rule, side)) for side in ("source", "target"))
            equal = self.findings.texts(rule.get("equal"))
            for label in equal:
                if not label.value:
                    self.findings.wrong(label, "the name of a label is expected here")
            self.findings.note(rule, "no alert inhibits another yet", "both are told")
            yield InhibitRule(rule.text("name"), source, target, tuple(str(label.value) for label in equal))

    def _matchers(self, rule: Node, side: str) -> Iterator[Matcher]:
        for node in self.findings.texts(rule.get(f"{side}_matchers")):
            yield from self._parsed(node, parse)
        for field, operator in ((f"{side}_match", EQUAL), (f"{side}_match_re", REGEX)):
            for name, node in self.findings.mapped(rule.get(field)).items():
                if not _LABEL.fullmatch(name):
                    self.findings.wrong(node, f"invalid label name {name!r}")
                yield from self._parsed(node, partial(_one, name, operator))

    def _parsed(self, node: Node, read: Callable[[str], list[Matcher]]) -> list[Matcher]:
        try:
            return read(self.findings.scalar(node))
        except Rejected as error:
            self.findings.wrong(node, str(error))
            return []

    def _templates(self) -> list[str]:
        found = self.findings.texts(self._root.get("templates"))
        for node in found:
            self.findings.note(
                node, "Go templates are not read", "Tocsin's own wording, or a template of the channel"
            )
        return [str(node.value) for node in found]
