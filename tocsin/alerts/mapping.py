"""Reading a payload by a mapping instead of a driver: where each thing stands, in JMESPath.

https://jmespath.org/specification.html
"""

from collections.abc import Mapping as Map
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tocsin.alerts import document, times
from tocsin.alerts.document import as_text
from tocsin.alerts.events import AlertEvent, Problem, Reading, Status
from tocsin.core import expressions, severity
from tocsin.core.errors import Rejected

_OVER: Final = {"ok", "up", "resolved", "recovered", "closed", "normal", "inactive", "healthy", "false", "0"}
_TAKEN_ON: Final = {"acknowledged", "acked", "ack"}


class Mapping(BaseModel):
    """Where an alert's parts stand in a payload; each value is a JMESPath expression."""

    model_config = ConfigDict(extra="forbid")

    alerts: str = Field(default="@", description="The alerts: a list of objects, or one object")
    name: str = Field(description="The alert's name, within one of them, as all that follow")
    status: str = Field(default="", description="Its state, in the source's own words; empty: it fires")
    statuses: dict[str, Status] = Field(
        default={}, description="What those words mean, where they are unusual"
    )
    severity: str = Field(default="", description="How bad it is, in the source's own words")
    severities: dict[str, str] = Field(
        default={}, description="What those words mean: critical, error, warning or info"
    )
    starts_at: str = Field(default="", description="Since when it fires")
    ends_at: str = Field(default="", description="When it ended")
    link: str = Field(default="", description="Where to look at it at its source")
    fingerprint: str = Field(default="", description="What tells it from others; empty: its labels do")
    labels: dict[str, str] = Field(default={}, description="Labels, by name")
    annotations: dict[str, str] = Field(default={}, description="Annotations, by name")

    @field_validator("alerts", "name", "status", "severity", "starts_at", "ends_at", "link", "fingerprint")
    @classmethod
    def _is_expression(cls, value: str) -> str:
        if value:
            expressions.compiled(value)
        return value

    @field_validator("labels", "annotations")
    @classmethod
    def _are_expressions(cls, value: dict[str, str]) -> dict[str, str]:
        for expression in value.values():
            expressions.compiled(expression)
        return value

    @field_validator("severities")
    @classmethod
    def _are_levels(cls, value: dict[str, str]) -> dict[str, str]:
        for level in value.values():
            if level not in severity.RANK:
                raise ValueError(f"{level!r} is no severity: use one of {', '.join(severity.RANK)}")
        return value

    def read(self, payload: Any) -> Reading:
        """The alerts of a decoded payload. Raises Rejected where there is none that can be read."""
        found = expressions.search(self.alerts, payload)
        items = found if isinstance(found, list) else [] if found is None else [found]
        reading = Reading([], [])
        for index, item in enumerate(items):
            try:
                reading.alerts.append(self._event(item))
            except Rejected as error:
                reading.errors.append(Problem(index, str(error)))
        if reading.errors and not reading.alerts:
            raise Rejected(reading.errors[0].message)
        return reading

    def _event(self, item: Any) -> AlertEvent:
        name = _text(self.name, item)
        if not name:
            raise Rejected(f"name: {self.name} gives nothing here")
        labels = {"alertname": name} | _texts(self.labels, item)
        word, status = _text(self.severity, item), self._status(_text(self.status, item))
        return AlertEvent(
            labels=labels,
            status=status,
            name=name,
            severity=self.severities.get(word) or severity.read(word or labels.get("severity")),
            annotations=_texts(self.annotations, item),
            starts_at=_moment("starts_at", self.starts_at, item),
            ends_at=_moment("ends_at", self.ends_at, item) if status == "resolved" else None,
            generator_url=_text(self.link, item),
            fingerprint=_text(self.fingerprint, item),
        )

    def _status(self, word: str) -> Status:
        if word in self.statuses:
            return self.statuses[word]
        if word.lower() in _OVER:
            return "resolved"
        return "acknowledged" if word.lower() in _TAKEN_ON else "firing"


def checked(given: Map[str, Any]) -> Mapping:
    """A mapping as somebody wrote it. Raises Rejected, which names what is wrong."""
    try:
        return Mapping.model_validate(given)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc'])) or 'mapping'}: {e['msg']}" for e in error.errors())
        raise Rejected("; ".join(part.replace("Value error, ", "") for part in wrong)) from None


def from_file(path: str) -> dict[str, Any]:
    """A mapping as a file holds it, in JSON; not yet checked. Raises Rejected."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise Rejected(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(f"{path}: {error}") from error


def read(given: Map[str, Any], body: bytes) -> Reading:
    """Read a body by a mapping. Raises Rejected."""
    return checked(given).read(document.read(body))


def _text(expression: str, item: Any) -> str:
    return as_text(expressions.search(expression, item)).strip() if expression else ""


def _texts(expressions: dict[str, str], item: Any) -> dict[str, str]:
    return {name: told for name, expression in expressions.items() if (told := _text(expression, item))}


def _moment(name: str, expression: str, item: Any) -> Any:
    if not expression:
        return None
    try:
        return times.read(expressions.search(expression, item))
    except ValueError as error:
        raise Rejected(f"{name}: {error}") from error
