"""Whether files are there, new enough and large enough, such as last night's backup."""

import os
import time
from glob import glob
from typing import Final, Literal

from pydantic import Field

from tocsin.checkers.checks import CRITICAL, UNKNOWN, BaseChecker, CheckResult, Finding, Thresholds, summary

MOST_FILES: Final = 200


class Config(Thresholds):
    paths: list[str] = Field(min_length=1, description="Files or patterns, such as /backup/*.gz")
    warning: float = Field(default=26 * 3_600, description="Seconds of age that are a warning")
    critical: float = Field(default=50 * 3_600, description="Seconds of age that are critical")
    min_bytes: int = Field(default=0, ge=0, description="A smaller file is critical")
    missing: Literal["ok", "warning", "critical"] = Field(
        default="critical", description="What it is where a path or a pattern finds nothing"
    )
    every: bool = Field(default=False, description="Of a pattern every file counts, not the newest alone")


class Checker(BaseChecker[Config]):
    """The age and size of files; of a pattern the newest file counts."""

    Config = Config

    def check(self) -> CheckResult:
        findings: list[Finding] = []
        metrics: dict[str, float] = {"files": 0}
        for pattern in self.config.paths:
            files, unread = _files(pattern)
            if unread:
                findings.append((UNKNOWN, unread))
            elif not files:
                findings.append((self.config.missing, f"{pattern} is missing"))
            every = self.config.every
            for path in sorted(files, key=lambda path: files[path].st_mtime, reverse=not every)[
                : MOST_FILES if every else 1
            ]:
                age = max(0.0, time.time() - files[path].st_mtime)
                findings.append((self.config.status(age), f"{path} is {_span(age)} old"))
                if (size := files[path].st_size) < self.config.min_bytes:
                    findings.append(
                        (CRITICAL, f"{path} has {size} bytes, fewer than {self.config.min_bytes}")
                    )
                metrics |= {f"age_seconds[{path}]": age, f"size_bytes[{path}]": float(size)}
                metrics["files"] += 1
        ages = {name[12:-1]: value for name, value in metrics.items() if name.startswith("age_seconds[")}
        oldest = max(ages, key=ages.__getitem__, default="")
        well = f"{oldest} is {_span(ages[oldest])} old" if ages else "nothing is there, as it may be"
        of = f", the oldest of {len(ages)} files" if len(ages) > 1 else ""
        status, message = summary(findings, well + of)
        return CheckResult("file_age", status, message, metrics)


def _files(pattern: str) -> tuple[dict[str, os.stat_result], str]:
    found, unread = {}, ""
    for path in [pattern] if os.path.lexists(pattern) else glob(pattern, recursive=True):
        try:
            found[path] = os.stat(path)
        except FileNotFoundError:
            continue  # went while we looked, or a link to nothing
        except OSError as error:
            unread = f"{path}: {(error.strerror or str(error)).lower()}"
    return found, unread


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
