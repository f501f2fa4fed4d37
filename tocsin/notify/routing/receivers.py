"""What Alertmanager's receivers become: a channel for each of their integrations."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from pydantic import ValidationError

from tocsin.notify.drivers import drivers
from tocsin.notify.routing.findings import Findings
from tocsin.notify.routing.integrations import INTEGRATIONS, Integration
from tocsin.notify.routing.lines import Node

MAX_SECRET: Final = 64 * 1024
LONGEST_NAME: Final = 100
NO_FILES: Final = "files are not read here"
_MAPPINGS: Final = ("http_config", "headers", "details")
_NUMBERS: Final = ("chat_id", "message_thread_id", "max_alerts")
_OWN_WORDS: Final = "Tocsin's own wording, or a template of the channel"
_HTTPS: Final = "the system's authorities, no proxy, no credentials of its own"


class Planned(msgspec.Struct, frozen=True):
    """A channel to be made of an integration. ``config`` holds secrets."""

    name: str
    receiver: str
    driver: str
    config: dict[str, Any]
    send_resolved: bool
    line: int


class Receivers:
    """Reads the receivers of a file."""

    def __init__(self, shared: Node | None, folder: Path | None, findings: Findings) -> None:
        self.channels: list[Planned] = []
        self._findings = findings
        self._shared = shared
        self._folder = folder
        self._names: set[str] = set()

    def read(self, receiver: Node) -> list[str]:
        """The names of the channels that a receiver comes to."""
        name = receiver.text("name")
        found = [
            (field, one, known)
            for field, given in receiver.fields().items()
            if (known := self._known(field, given)) is not None
            for one in self._findings.listed(given)
        ]
        return [
            made
            for field, one, known in found
            if (made := self._channel(name, _kind(field) if len(found) > 1 else "", one, known))
        ]

    def _known(self, field: str, given: Node) -> Integration | None:
        if field in INTEGRATIONS:
            return INTEGRATIONS[field]
        if field.endswith("_configs"):
            self._findings.note(given, "nothing here knows this kind of integration", "nobody is told by it")
        elif field != "name":
            self._findings.wrong(given, "there is no such field")
        return None

    def _channel(self, receiver: str, kind: str, given: Node, known: Integration) -> str:
        """Plan a channel; its name, or nothing where it cannot be made."""
        self._findings.mapped(given)
        values = {field: value for field in known.carried if (value := self._value(field, given, known))}
        self._check(given, known)
        if known.driver not in drivers.names():
            self._findings.note(
                given, f"Tocsin has no driver for {_kind(given.where[-2])}", "nobody is told by it"
            )
            return ""
        config = self._config(given, known, values)
        self._tell_losses(given, known, config)
        name = self._named(f"{receiver} {kind}".strip())
        resolved = self._findings.flag(given.get("send_resolved"), known.send_resolved)
        self.channels.append(Planned(name, receiver, known.driver, config, resolved, given.line))
        return name

    def _config(self, given: Node, known: Integration, values: dict[str, str]) -> dict[str, Any]:
        """The channel's config as its driver takes it; what that refuses is told."""
        for field in [field for field, value in values.items() if "{{" in value]:
            del values[field]
            self._findings.note(
                given.get(field) or given, f"{field} is a Go template", "it must be set by hand"
            )
        renamed = {known.carried[field]: value for field, value in reversed(values.items())}
        config = known.adapted(renamed, given) if known.adapted else dict[str, Any](renamed)
        kind = drivers.get(known.driver).Config
        for setting in config.keys() - kind.model_fields.keys():
            del config[setting]
            self._findings.note(
                given, f"the driver {known.driver} has no setting {setting}", "it is left out"
            )
        try:
            kind.model_validate(config)
        except ValidationError as error:
            for found in error.errors():
                said = str(found["msg"]).removeprefix("Value error, ")
                setting = ".".join(map(str, found["loc"]))
                told = f"{setting}: {said}" if setting else said
                self._findings.note(given, told, "it must be set before the channel can send")
        return config

    def _value(self, field: str, given: Node, known: Integration) -> str:
        """A field's text: its own, that of its file, or what ``global`` says for all."""
        if own := given.text(field):
            return own
        if file := given.get(f"{field}_file"):
            return self._secret(file)
        if shared := known.shared.get(field):
            file = self._shared.get(f"{shared}_file") if self._shared else None
            return self._secret(file) if file else self._shared.text(shared) if self._shared else ""
        return ""

    def _secret(self, file: Node) -> str:
        """What stands in a file that is named relative to the config's folder."""
        name = file.value if isinstance(file.value, str) else ""
        try:
            if self._folder is None:
                raise OSError(0, NO_FILES)
            with (self._folder / name).open("rb") as opened:
                return opened.read(MAX_SECRET).decode().strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            self._findings.note(file, f"cannot read {name}: {why}", "it must be set by hand")
            return ""

    def _check(self, given: Node, known: Integration) -> None:
        """What Alertmanager refuses in an integration."""
        for field, node in given.fields().items():
            self._check_kind(field, node, known)
        for choice in known.needed:
            if not any(self._is_given(field, given, known) for field in choice.split("|")):
                self._findings.wrong(given, f"{choice.replace('|', ' or ')} is missing")
        for field in known.carried:
            if given.get(field) and (file := given.get(f"{field}_file")):
                self._findings.wrong(file, f"at most one of {field} and {field}_file can be given")
        for field in known.urls:
            if (url := given.get(field)) and not is_url(url.value):
                self._findings.wrong(url, "it is no URL: http:// or https:// and a host are expected")
        if (mail := given.get("smarthost")) and not is_address(mail.value):
            self._findings.wrong(mail, "an address with a port is expected, such as mail.example.com:587")

    def _check_kind(self, field: str, node: Node, known: Integration) -> None:
        if field in _MAPPINGS:
            self._findings.mapped(node)
        elif field in _NUMBERS:
            self._findings.number(node)
        elif field.removesuffix("_file") in known.carried or field in known.worded.split():
            self._findings.scalar(node)

    def _is_given(self, field: str, given: Node, known: Integration) -> bool:
        names = [(given, field)]
        if self._shared and field in known.shared:
            names.append((self._shared, known.shared[field]))
        return any(node.get(name) or node.get(f"{name}_file") for node, name in names)

    def _tell_losses(self, given: Node, known: Integration, config: dict[str, Any]) -> None:
        if known.remark:
            self._findings.note(given, known.remark, "whoever reads it must know that")
        for field, node in given.fields().items():
            plain = field.removesuffix("_file")
            if node.value is None or field == "send_resolved" or f"{plain}_id" in config:
                continue
            if field == "http_config":
                self._tell_requests(node, known)
            elif loss := _loss(plain, known):
                self._findings.note(node, *loss)

    def _tell_requests(self, given: Node, known: Integration) -> None:
        for name, node in given.fields().items():
            if name not in known.signs:
                self._findings.note(node, "requests are made without it", _HTTPS)

    def _named(self, name: str) -> str:
        """A channel's name that no other channel of the file has."""
        name = name[: LONGEST_NAME - 4]
        found, number = name, 2
        while found in self._names:
            found, number = f"{name} {number}", number + 1
        self._names.add(found)
        return found


def _loss(field: str, known: Integration) -> tuple[str, str] | None:
    """What is lost with a field, and what there is instead."""
    if field in known.hints:
        return known.hints[field]
    if field in known.carried:
        return None
    if field in known.worded.split():
        return "its texts are written for Alertmanager", _OWN_WORDS
    if field in known.lost.split():
        return "it has no counterpart here", "it is left out"
    return "nobody here knows this field", "it is left out"


def is_url(value: object) -> bool:
    """Whether Alertmanager takes a text as a URL; ``<secret>`` is what amtool shows in the place of one."""
    if value == "<secret>" or not isinstance(value, str):
        return value == "<secret>"
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def is_address(value: object) -> bool:
    """Whether this is a host with a port."""
    return isinstance(value, str) and bool(value.rpartition(":")[2]) and ":" in value


def _kind(field: object) -> str:
    return str(field).removesuffix("_configs")
