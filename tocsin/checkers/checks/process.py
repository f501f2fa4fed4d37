"""Whether programs run that should, and whether too many do."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress

import psutil
from pydantic import Field

from tocsin.checkers.checks import (
    CRITICAL,
    OK,
    WARNING,
    BaseChecker,
    CheckResult,
    Finding,
    Options,
    level,
    summary,
)


class Config(Options):
    names: list[str] = Field(default=[], description="Programs that must run, by name such as nginx")
    min: int = Field(default=1, ge=0, description="How many processes of each there must be")
    max: int | None = Field(default=None, ge=0, description="How many processes of each there may be")
    memory_warning: float | None = Field(
        default=None, description="Percent of memory for one of the names that is a warning"
    )
    memory_critical: float | None = Field(
        default=None, description="Percent of memory for one of the names that is critical"
    )
    cpu_warning: float | None = Field(
        default=None, description="Percent of one core for one of the names that is a warning"
    )
    cpu_critical: float | None = Field(
        default=None, description="Percent of one core for one of the names that is critical"
    )
    total_warning: int | None = Field(default=None, description="Processes in all that are a warning")
    total_critical: int | None = Field(default=None, description="Processes in all that are critical")
    zombies_warning: int | None = Field(default=10, description="Zombies that are a warning")
    zombies_critical: int | None = Field(default=100, description="Zombies that are critical")


Identity = tuple[int, float]  # pid and start: pids are used again


class Checker(BaseChecker[Config]):
    """Named programs, processes in all, and zombies, which ended but whose parent does not ask."""

    Config = Config
    everywhere = True
    _spent: Mapping[Identity, float] = {}
    _looked_at = 0.0

    def check(self) -> CheckResult:
        running = list(psutil.process_iter(["name", "status", "ppid"]))
        names = {process.pid: process.info["name"] or "" for process in running}
        zombies = [process for process in running if process.info["status"] == psutil.STATUS_ZOMBIE]
        parents = Counter(names.get(process.info["ppid"], "?") for process in zombies)
        of = ", ".join(name for name, _ in parents.most_common(3))
        total, limits = len(running), self.config
        metrics = {"processes": float(total), "zombies": float(len(zombies))}
        findings: list[Finding] = [
            (level(total, limits.total_warning, limits.total_critical), f"{total} processes run"),
            (
                level(len(zombies), limits.zombies_warning, limits.zombies_critical),
                f"{len(zombies)} zombies, left by {of}",
            ),
        ]
        alive = [process for process in running if process.info["status"] != psutil.STATUS_ZOMBIE]
        self._named(alive, findings, metrics)
        well = f"{total} processes, {len(zombies)} zombies"
        status, message = summary(findings, "; ".join([well, *_running(limits.names, metrics)]))
        return CheckResult("process", status, message, metrics)

    def _named(
        self, running: list[psutil.Process], findings: list[Finding], metrics: dict[str, float]
    ) -> None:
        spent: dict[Identity, float] = {}
        seconds, self._looked_at = time.monotonic() - self._looked_at, time.monotonic()
        called = [(process, _names(process)) for process in running] if self.config.names else []
        for name in self.config.names:
            found = [process for process, names in called if name in names]
            metrics[f"running[{name}]"] = float(len(found))
            findings.append(self._counted(name, len(found)))
            memory, busy = self._used(found, spent, seconds)
            metrics |= {f"memory_percent[{name}]": memory, f"cpu_percent[{name}]": busy}
            status = level(memory, self.config.memory_warning, self.config.memory_critical)
            findings.append((status, f"{name} takes {memory:.1f} % of memory"))
            status = level(busy, self.config.cpu_warning, self.config.cpu_critical)
            findings.append((status, f"{name} keeps {busy:.0f} % of a core busy"))
        self._spent = spent

    def _counted(self, name: str, count: int) -> Finding:
        least, most = self.config.min, self.config.max
        if count < least:
            return (
                CRITICAL,
                f"{name} runs {_times(count)}, {least} wanted" if count else f"{name} does not run",
            )
        many = most is not None and count > most
        return (WARNING if many else OK), f"{name} runs {_times(count)}, at most {most} wanted"

    def _used(
        self, found: Iterable[psutil.Process], spent: dict[Identity, float], seconds: float
    ) -> tuple[float, float]:
        """Percent of memory, and of a core since the last look."""
        memory = busy = 0.0
        for process in found:
            try:
                identity = (process.pid, process.create_time())
                times = process.cpu_times()
                memory += process.memory_percent()
            except psutil.Error:
                continue  # it has ended, or is not ours to look into
            spent[identity] = times.user + times.system
            if self._spent:
                busy += 100 * (spent[identity] - self._spent.get(identity, 0.0)) / max(seconds, 1e-3)
        return memory, max(0.0, busy)


def _names(process: psutil.Process) -> set[str]:
    """What it is called: by the kernel, and by whoever started it."""
    names = {process.info["name"] or ""}
    with suppress(psutil.Error):  # it has ended, or is not ours to look into
        names |= {os.path.basename(word) for word in process.cmdline()[:1]}
    return names


def _running(names: Iterable[str], metrics: Mapping[str, float]) -> list[str]:
    return [f"{name} runs {_times(int(metrics[f'running[{name}]']))}" for name in names][:8]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
