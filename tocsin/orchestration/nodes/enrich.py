"""More labels for the incident of a run: who owns it, where it stands, whom it serves. Out of a table, or
looked up at another system."""

import hashlib
from abc import ABC
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Self

import msgspec
from pydantic import AfterValidator, Field, model_validator

from tocsin.alerts.intake import limits
from tocsin.core import templates
from tocsin.core.errors import Rejected
from tocsin.core.expressions import Expression, search
from tocsin.core.http import Client, Response
from tocsin.core.remembered import Remembered
from tocsin.core.templates import Written, WrittenSecrets
from tocsin.orchestration.nodes import BaseNode, BatchNode, Context, NodeConfig, Outcome, SlowNode, Walk

LARGEST_ANSWER: Final = 64 * 1024
_ANSWERS: Final[Remembered[Response]] = Remembered(1_000)


def _checked(labels: dict[str, str]) -> dict[str, str]:
    if wrong := limits.wrong_labels(labels):
        raise ValueError(wrong)
    return labels


Labels = Annotated[dict[str, str], AfterValidator(_checked)]


class Lookup(NodeConfig):
    """Whom to ask, and what of the answer makes labels."""

    url: Written = Field(
        min_length=1,
        description="Where to ask, a template over the run's document; must be reachable by"
        " TOCSIN_OUTBOUND_ALLOW where it is not public",
    )
    headers: WrittenSecrets = Field(
        default={}, description="By name, as templates; the place for keys and tokens"
    )
    labels: Annotated[dict[str, Expression], AfterValidator(_checked)] = Field(
        min_length=1, description="Labels to add, each by JMESPath on the JSON answer; null adds none"
    )
    cache_seconds: float = Field(
        default=300, ge=0, le=86_400, description="How long an answer is good for all runs that ask the same"
    )


class Config(NodeConfig):
    """A table of rows by the value of one label, or a lookup."""

    label: str = Field(default="", description="With a table: the label whose value names the row")
    table: dict[str, Labels] = Field(default={}, description="Labels to add, by that value")
    lookup: Lookup | None = Field(default=None, description="Instead of a table: another system to ask")
    default: Labels = Field(
        default={}, description="Labels to add where there is no row, or the answer is 404"
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.table) == (self.lookup is not None):
            raise ValueError("give either a table, with its label, or a lookup")
        if self.table and not self.label:
            raise ValueError("label: a table needs the label whose value names the row")
        if self.lookup and self.label:
            raise ValueError("label: it belongs to a table; a lookup says by its url what it asks for")
        return self


class Node(BaseNode[Config], ABC):
    """Gives the labels, which the nodes that follow and the messages see; those an incident has stay."""

    Config = Config

    @classmethod
    def of(cls, config: Any) -> BaseNode[Any]:
        return _FromTable(config) if config.lookup is None else _LookedUp(config)


class _FromTable(Node, BatchNode[Config]):
    """Has the answer here."""

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [self._outcome(walk) for walk in walks]

    def _outcome(self, walk: Walk) -> Outcome:
        value = walk.news.all_labels().get(self.config.label, "")
        added = self.config.table.get(value, self.config.default)
        return Outcome({self.config.label: value}, {"labels": added})


class _LookedUp(Node, SlowNode[Config]):
    """Has to ask. An answer serves all runs of a worker that ask the same."""

    @property
    def _lookup(self) -> Lookup:
        assert self.config.lookup is not None
        return self.config.lookup

    async def perform(self, walk: Walk, http: Client, now: datetime, name: str, timeout: float) -> Outcome:
        url, headers = self._request(walk)

        async def ask() -> Response:
            answer = await http.get(url, headers, timeout, LARGEST_ANSWER + 1)
            return self._accepted(answer)

        answer = await _ANSWERS.get(self._key(url, headers), ask, self._lookup.cache_seconds, now)
        labels = self.config.default if answer.status == 404 else self._labels(answer)
        return Outcome(_shown(url, headers), {"labels": labels})

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        told = {"labels": {}, "reason": "not asked: this is a rehearsal"}
        return Outcome(_shown(*self._request(walk)), told)

    def _request(self, walk: Walk) -> tuple[str, dict[str, str]]:
        document = walk.document()
        headers = {
            key: templates.render_text(value.get_secret_value(), document)
            for key, value in self._lookup.headers.items()
        }
        return templates.render_text(self._lookup.url, document), {"Accept": "application/json", **headers}

    def _key(self, url: str, headers: dict[str, str]) -> str:
        """The whole request, without keeping its secrets; and whether 404 is an answer to it."""
        asked = msgspec.json.encode([url, sorted(headers.items()), bool(self.config.default)])
        return hashlib.sha256(asked).hexdigest()

    def _accepted(self, answer: Response) -> Response:
        if answer.status != 404 or not self.config.default:
            answer.require_success()
        if len(answer.body) > LARGEST_ANSWER:
            raise Rejected(f"the answer is larger than {LARGEST_ANSWER // 1024} KiB")
        return answer

    def _labels(self, answer: Response) -> dict[str, str]:
        document = _decoded(answer)
        found = {name: _text(name, search(text, document)) for name, text in self._lookup.labels.items()}
        labels = {name: value for name, value in found.items() if value}
        if wrong := limits.wrong_labels(labels):
            raise Rejected(f"the answer cannot be used: {wrong}")
        return labels


def _shown(url: str, headers: dict[str, str]) -> dict[str, Any]:
    """Headers may hold secrets."""
    return {"url": url, "headers": sorted(headers)}


def _decoded(answer: Response) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(f"the answer is no JSON ({error}): {answer.text(100)}") from None


def _text(name: str, value: Any) -> str:
    """A plain value as a label has it; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        kind = "an object" if isinstance(value, dict) else "a list"
        raise Rejected(f"label {name}: its expression finds {kind}, and a label is text")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
