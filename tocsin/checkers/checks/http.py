"""Whether a web page or an API answers as it should."""

from typing import Literal

import re2  # type: ignore[import-untyped]
from pydantic import Field, field_validator

from tocsin.checkers.checks import (
    CRITICAL,
    OK,
    BaseChecker,
    CheckResult,
    Finding,
    Thresholds,
    level,
    summary,
)  # fmt: skip
from tocsin.checkers.dial import deadline, reach
from tocsin.checkers.fetch import Answer, Request, fetch, shown
from tocsin.core.errors import Unavailable

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Config(Request, Thresholds):
    warning: float = Field(default=2_000, description="Milliseconds from which an answer is a warning")
    critical: float = Field(default=5_000, description="Milliseconds from which an answer is critical")
    method: Method = Field(default="GET", description="Method of the request")
    body: str = Field(default="", description="Body of the request")
    statuses: list[int] = Field(default=[], description="Statuses that are well; default: any below 400")
    contains: str = Field(default="", description="What the answer must hold")
    matches: str = Field(default="", description="Regular expression that must match somewhere in the answer")
    must_not_match: str = Field(default="", description="Regular expression that must not")
    follow: bool = Field(default=True, description="Whether to follow redirects")
    days_warning: float = Field(default=14, description="Days a certificate is good for, below: a warning")
    days_critical: float = Field(default=3, description="Days a certificate is good for, below: critical")

    @field_validator("matches", "must_not_match")
    @classmethod
    def _readable(cls, pattern: str) -> str:
        try:
            re2.compile(pattern)
        except re2.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern


class Checker(BaseChecker[Config]):
    """Asks a URL: status, time, what the answer holds, and how long its certificate is good for."""

    Config = Config

    def check(self) -> CheckResult:
        asked = self.config
        try:
            answer = fetch(
                asked, deadline(asked.timeout), reach(self.trusted),
                method=asked.method, body=asked.body.encode(), follow=asked.follow,
            )  # fmt: skip
        except Unavailable as error:
            return CheckResult("http", CRITICAL, str(error))
        said = f"HTTP {answer.status} in {answer.took_ms:.0f} ms from {shown(answer.url)}"
        metrics = {"latency_ms": answer.took_ms, "status": answer.status, "body_bytes": len(answer.body)}
        if answer.days_left is not None:
            said += f", certificate good for {answer.days_left:.0f} days"
            metrics["days_left"] = answer.days_left
        status, message = summary(self._findings(answer), said)
        return CheckResult("http", status, message, metrics)

    def _findings(self, answer: Answer) -> list[Finding]:
        asked, text, where = self.config, answer.text, shown(answer.url)
        well = answer.status in asked.statuses if asked.statuses else answer.status < 400
        days = answer.days_left
        found = [
            (OK if well else CRITICAL, f"HTTP {answer.status} from {where}"),
            (
                asked.status(answer.took_ms),
                f"HTTP {answer.status} after {answer.took_ms:.0f} ms from {where}",
            ),
            _unless(asked.contains in text, f"the answer does not hold {asked.contains!r}"),
            _unless(bool(re2.search(asked.matches, text)), f"nothing matches {asked.matches!r}"),
        ]
        if asked.must_not_match and re2.search(asked.must_not_match, text):
            found.append((CRITICAL, f"the answer matches {asked.must_not_match!r}"))
        if days is not None:
            told = f"the certificate is good for {days:.0f} days"
            found.append((level(-days, -asked.days_warning, -asked.days_critical), told))
        return found


def _unless(well: bool, told: str) -> Finding:
    return OK if well else CRITICAL, told
