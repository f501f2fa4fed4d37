"""A number out of any JSON API."""

from typing import Any, Literal

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError
from pydantic import Field, field_validator

from tocsin.checkers.checks import BaseChecker, CheckResult, Limits
from tocsin.checkers.dial import deadline, reach
from tocsin.checkers.fetch import Request, fetch, shown
from tocsin.core.errors import Rejected, Unavailable


class Config(Request, Limits):
    path: str = Field(description="Where the number stands, in JMESPath, such as stats.queue.length")
    no_data: Literal["ok", "warning", "critical", "unknown"] = Field(
        default="unknown", description="Status where nothing stands there"
    )

    @field_validator("path")
    @classmethod
    def _readable(cls, path: str) -> str:
        try:
            jmespath.compile(path)
        except JMESPathError as error:
            raise ValueError(f"not JMESPath: {' '.join(str(error).split())}") from None
        return path


class Checker(BaseChecker[Config]):
    """Asks a URL for JSON and compares the number at a path with thresholds; true counts as 1."""

    Config = Config

    def check(self) -> CheckResult:
        asked = self.config
        answer = fetch(asked, deadline(asked.timeout), reach(self.trusted))
        if answer.status != 200:
            raise Unavailable(f"HTTP {answer.status} from {shown(answer.url)}")
        if answer.cut:
            raise Rejected(f"the answer is longer than max_bytes ({asked.max_bytes})")
        value = _found(answer.body, asked.path)
        if value is None:
            return CheckResult("json_value", asked.no_data, f"there is nothing at {asked.path}")
        told = f"{asked.path} is {value:g}"
        return CheckResult("json_value", asked.status(value), told, {"value": value})


def _found(body: bytes, path: str) -> float | None:
    """The number at a path; None where there is nothing. Raises Rejected."""
    try:
        found: Any = jmespath.search(path, msgspec.json.decode(body))
        return None if found is None else float(found)
    except msgspec.DecodeError:
        raise Rejected("the answer is not JSON") from None
    except JMESPathError as error:
        raise Rejected(f"{path}: {' '.join(str(error).split())}") from None
    except (TypeError, ValueError):
        raise Rejected(f"at {path} stands no number but {str(found)[:60]!r}") from None
