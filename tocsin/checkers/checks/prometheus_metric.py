"""A metric of a Prometheus server, or of any page that Prometheus could scrape."""

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, Self
from urllib.parse import urlencode

import msgspec
from pydantic import Field, model_validator

from tocsin.checkers.checks import RANK, BaseChecker, CheckResult, Limits, summary
from tocsin.checkers.dial import deadline, reach
from tocsin.checkers.fetch import Answer, Request, fetch, shown
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.labels import describe

_MOST: Final = 100
_Series = list[tuple[Mapping[str, str], float]]


class Config(Request, Limits):
    url: str = Field(
        pattern=r"^https?://", description="A server, such as http://prometheus:9090, or a page of metrics"
    )
    query: str = Field(default="", description="PromQL, asked of the server at this moment")
    metric: str = Field(default="", description="Name of a metric of the page, instead of a query")
    labels: dict[str, str] = Field(default={}, description="Labels that the page's metric must have")
    no_data: Literal["ok", "warning", "critical", "unknown"] = Field(
        default="unknown", description="Status where there is no such series"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.query) == bool(self.metric):
            raise ValueError("give a query for a server, or a metric for a page")
        return self


class Checker(BaseChecker[Config]):
    """Compares a metric with thresholds: of several series the worst decides."""

    Config = Config

    def check(self) -> CheckResult:
        asked = self.config
        url = asked.url
        if asked.query:
            url = f"{asked.url.rstrip('/')}/api/v1/query?{urlencode({'query': asked.query})}"
        answer = fetch(asked, deadline(asked.timeout), reach(self.trusted), url=url)
        series = _queried(answer) if asked.query else _scraped(answer, asked.metric, asked.labels)
        series = [(labels, value) for labels, value in series if not math.isnan(value)]
        name = asked.query or asked.metric
        if not series:
            return CheckResult("prometheus_metric", asked.no_data, f"there is no series of {name}")
        if len(series) > _MOST:
            raise Rejected(f"{name} has {len(series)} series; at most {_MOST} are compared")
        named = [(_named(labels), value) for labels, value in series]
        findings = [(asked.status(value), f"{name}{where} is {value:g}") for where, value in named]
        status, message = summary(findings, max(findings, key=lambda found: RANK[found[0]])[1])
        metrics = {f"value{where and f'[{where[1:-1]}]'}": value for where, value in named}
        return CheckResult("prometheus_metric", status, message, metrics)


def _named(labels: Mapping[str, str]) -> str:
    shown_ones = describe(labels, sorted(labels.keys() - {"__name__"}))
    return f"{{{shown_ones}}}" if shown_ones else ""


def _queried(answer: Answer) -> _Series:
    """What a server's API answered. Raises Unavailable or Rejected."""
    try:
        said: dict[str, Any] = msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError:
        raise Unavailable(f"HTTP {answer.status} from {shown(answer.url)}, and no JSON") from None
    if said.get("status") != "success":
        raise Rejected(f"{said.get('errorType')}: {said.get('error')}"[:300])
    data = said["data"]
    if data["resultType"] == "scalar":
        return [({}, float(data["result"][1]))]
    if data["resultType"] != "vector":
        raise Rejected(f"the query gives a {data['resultType']}; a number or an instant vector is wanted")
    return [(found["metric"], float(found["value"][1])) for found in data["result"]]


def _scraped(answer: Answer, metric: str, wanted: Mapping[str, str]) -> _Series:
    """The series of a page that have these labels. Raises Unavailable or Rejected."""
    from prometheus_client.parser import text_string_to_metric_families  # slow to load

    if answer.status != 200:
        raise Unavailable(f"HTTP {answer.status} from {shown(answer.url)}")
    if answer.cut:
        raise Rejected("the page is longer than max_bytes")
    try:
        families = list(text_string_to_metric_families(answer.text))
    except (ValueError, KeyError, IndexError):
        raise Rejected(f"{shown(answer.url)} is no page of metrics") from None
    samples = (sample for family in families for sample in family.samples if sample.name == metric)
    return [(each.labels, float(each.value)) for each in samples if wanted.items() <= each.labels.items()]
