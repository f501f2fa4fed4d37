"""Whether systemd's units are well."""

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from tocsin.checkers.checks import (
    CRITICAL,
    OK,
    WARNING,
    BaseChecker,
    CheckResult,
    Finding,
    Options,
    summary,
)
from tocsin.checkers.outside import program, run

RUNS: Final = Path("/run/systemd/system")  # as sd_booted(3) has it
AMISS: Final = ("failed", "auto-restart", "auto-restart-queued")
MARKS: Final = "●×○↻* "  # what older systemctls put before a unit, even in plain lists
SHOWN: Final = ("Id", "LoadState", "ActiveState", "SubState", "NRestarts")
Unit = Mapping[str, str]


class Config(Options):
    units: list[str] = Field(default=[], max_length=200, description="Units that must be active")
    ignore: list[str] = Field(default=[], description="Failed units that do not count, such as apt-*.service")
    failed: Literal["warning", "critical"] = Field(default="warning", description="What a failed unit is")
    restarts: int = Field(
        default=3, ge=1, description="Restarts of a unit since the last look that are a warning"
    )


class Checker(BaseChecker[Config]):
    """Failed units, units that must be active, and units that start again and again."""

    Config = Config
    everywhere = True
    _restarts: Mapping[str, int] = {}

    def check(self) -> CheckResult:
        systemctl = program("systemctl")
        if systemctl is None or not RUNS.is_dir():
            status = CRITICAL if self.config.units else OK
            return CheckResult("systemd", status, "systemd does not run here", {"failed_units": 0.0})
        failed, restarting = self._amiss(systemctl)
        named = self.config.units
        findings: list[Finding] = [
            (self.config.failed, f"{unit} failed") for unit in failed if unit not in named
        ]
        watched = {*named, *restarting, *self._restarts}
        units = self._shown(systemctl, watched) if watched else {}
        findings += [_active(name, units.get(name, {})) for name in named]
        restarts = {name: int(unit.get("NRestarts") or 0) for name, unit in units.items()}
        for name, count in restarts.items():
            if (since := count - self._restarts.get(name, count)) >= self.config.restarts:
                findings.append((WARNING, f"{name} was restarted {since} times since the last look"))
        # A unit that was restarted once is watched for the next look too: it may be between two starts then.
        self._restarts = {name: count for name, count in restarts.items() if name in watched and count}
        metrics = {"failed_units": float(len(failed)), "restarting_units": float(len(restarting))}
        metrics |= {f"restarts[{name}]": float(count) for name, count in restarts.items()}
        status, message = summary(findings, _well(named))
        return CheckResult("systemd", status, message, metrics)

    def _amiss(self, systemctl: str) -> tuple[list[str], list[str]]:
        """Units that failed, and units that wait for their next start."""
        asked = (
            "list-units",
            "--all",
            "--state=failed,auto-restart,auto-restart-queued",
            "--plain",
            "--no-legend",
            "--full",
        )
        said = run(systemctl, "--no-pager", *asked, seconds=self.config.timeout * 0.4).require()
        rows = [line.lstrip(MARKS).split(maxsplit=4) for line in said.splitlines()]
        rows = [row for row in rows if len(row) >= 4 and not self._ignored(row[0])]
        return [row[0] for row in rows if row[2] == "failed"], [row[0] for row in rows if row[2] != "failed"]

    def _ignored(self, unit: str) -> bool:
        return any(fnmatch(unit, pattern) for pattern in self.config.ignore)

    def _shown(self, systemctl: str, names: set[str]) -> dict[str, Unit]:
        asked = [f"--property={','.join(SHOWN)}", "--", *sorted(names)]
        said = run(systemctl, "--no-pager", "show", *asked, seconds=self.config.timeout * 0.4).require()
        parts = (
            dict(line.split("=", 1) for line in part.splitlines()) for part in said.strip().split("\n\n")
        )
        return dict(
            zip(sorted(names), parts, strict=True)
        )  # by the name that was asked for: Id may be another's


def _active(name: str, unit: Unit) -> Finding:
    state = unit.get("ActiveState", "unknown")
    if unit.get("LoadState") == "not-found":
        return CRITICAL, f"there is no unit {name}"
    if state in ("active", "reloading"):
        return OK, ""
    if state == "activating":
        return WARNING, f"{name} is starting ({unit.get('SubState')})"
    return CRITICAL, f"{name} failed" if state == "failed" else f"{name} is {state}"


def _well(named: list[str]) -> str:
    return "no unit has failed, and all are active that must be" if named else "no unit has failed"
