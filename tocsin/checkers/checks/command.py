"""Any monitoring plug-in: a program that ends with 0 to 3, as those of Nagios and its heirs."""

from typing import Final

from pydantic import Field

from tocsin.checkers import outside, perfdata
from tocsin.checkers.checks import CRITICAL, OK, UNKNOWN, WARNING, BaseChecker, CheckResult, Options
from tocsin.checkers.dial import SHARE
from tocsin.core.errors import Forbidden

_STATUS: Final = {0: OK, 1: WARNING, 2: CRITICAL, 3: UNKNOWN}
_MOST: Final = 65_536
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Config(Options):
    argv: list[str] = Field(
        min_length=1, description="The program and its arguments; no shell reads them",
        json_schema_extra={"positional": True},
    )  # fmt: skip
    environment: dict[str, str] = Field(default={}, description="Its environment, besides PATH and LC_ALL")


class Checker(BaseChecker[Config]):
    """Runs a monitoring plug-in: its exit code is the status, its first line the message, its performance
    data the metrics. It gets none of our environment, and whatever it started ends with its time."""

    Config = Config
    trusted_only = True

    def check(self) -> CheckResult:
        if not self.trusted:
            raise Forbidden("programs are only run for checks that are set up on this machine")
        said = outside.run(
            *self.config.argv, seconds=self.config.timeout * SHARE, limit=_MOST,
            environment={"PATH": _PATH, "LC_ALL": "C.UTF-8", **self.config.environment},
        )  # fmt: skip
        if said.cut:
            return CheckResult("command", UNKNOWN, f"it said more than {_MOST} bytes and was stopped")
        output = perfdata.read(said.out)
        message = output.line or " ".join(said.err.split())[:500] or "it said nothing"
        if said.code not in _STATUS:
            how = f"signal {-said.code}" if said.code < 0 else f"exit code {said.code}"
            return CheckResult("command", UNKNOWN, f"{how}: {message}")
        return CheckResult("command", _STATUS[said.code], message, perfdata.metrics(output.data))
