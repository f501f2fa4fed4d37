"""Whether the disks that stand in for each other all do: Linux' md arrays, ZFS pools."""

import re
from pathlib import Path
from typing import Final, NamedTuple

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

# What may be under way in a whole array: a look through it, or its change of shape.
HARMLESS: Final = {"check", "reshape"}


class Array(NamedTuple):
    """An array of /proc/mdstat."""

    name: str
    active: bool
    level: str
    wanted: int
    working: int
    failed: tuple[str, ...] = ()
    under_way: str = ""  # recovery, resync, reshape, check
    percent: float = 0.0

    def finding(self) -> Finding:
        lost = f" ({', '.join(self.failed)} failed)" if self.failed else ""
        progress = f"{self.under_way} at {self.percent:.0f} %" if self.under_way else ""
        if not self.active:
            return CRITICAL, f"{self.name} is not running{lost}"
        if self.working < self.wanted:
            told = f"{self.name} ({self.level}) runs on {self.working} of {self.wanted} disks{lost}"
            return (WARNING, f"{told}, {progress}") if self.under_way == "recovery" else (CRITICAL, told)
        if lost:
            return WARNING, f"{self.name} is whole, but holds a failed disk{lost}"
        return (
            (OK, "") if self.under_way in HARMLESS or not progress else (WARNING, f"{self.name}: {progress}")
        )


class Config(Options):
    mdstat: str = Field(default="/proc/mdstat", description="Where the kernel tells of its arrays")


class Checker(BaseChecker[Config]):
    """Degraded is critical, rebuilding a warning; a machine without arrays and pools is well."""

    Config = Config
    everywhere = True

    def check(self) -> CheckResult:
        path = Path(self.config.mdstat)
        found = arrays(path.read_text()) if path.exists() else []
        findings = [array.finding() for array in found]
        zpool = program("zpool")
        if zpool:
            said = run(zpool, "status", "-x", seconds=self.config.timeout * 0.8)
            if "modules are not loaded" in said.err:  # the programs are there, and no pool
                zpool = None
            else:
                findings += pools(said.require())
        metrics = {"arrays": float(len(found))}
        for array in found:
            metrics[f"working_disks[{array.name}]"] = float(array.working)
            metrics[f"wanted_disks[{array.name}]"] = float(array.wanted)
        whole = "every array is whole" if found else "there is no RAID array"
        status, message = summary(findings, whole + (", ZFS is healthy" if zpool else ""))
        return CheckResult("raid", status, message, metrics)


def arrays(mdstat: str) -> list[Array]:
    """The arrays of a text as /proc/mdstat has it."""
    found = []
    for part in re.split(r"^(?=\w+ : )", mdstat, flags=re.M):
        head = re.match(
            r"(\w+) : (in)?active (?:\([\w-]+\) )?(?:(raid\d+|linear|multipath|faulty) )?(.*)", part
        )
        if head is None or (head[2] and "super external:" in part):
            continue  # a container of a controller's metadata is never active itself
        name, inactive, level, members = head.groups()
        disks = re.search(r"\[(\d+)/(\d+)\]", part)
        doing = re.search(r"(recovery|resync|reshape|check)\s*=\s*(?:([\d.]+)%|DELAYED)", part)
        found.append(
            Array(
                name,
                not inactive,
                level or "?",
                int(disks[1]) if disks else 0,
                int(disks[2]) if disks else 0,
                tuple(re.findall(r"(\w+)\[\d+\](?:\(\w\))*\(F\)", members)),
                doing[1] if doing else "",
                float(doing[2] or 0) if doing else 0.0,
            )
        )
    return found


def pools(status: str) -> list[Finding]:
    """What ``zpool status -x`` says of the pools that are not well; nothing where all are."""
    found = []
    for name, state, rest in re.findall(
        r"^\s*pool: (\S+)\n\s*state: (\S+)(.*?)(?=^\s*pool: |\Z)", status, re.M | re.S
    ):
        why = re.search(r"^\s*status: (.+?)(?:\.\s|^\s*\w+: |\Z)", rest, re.M | re.S)
        told = f"ZFS pool {name} is {state.lower()}" + (f": {' '.join(why[1].split())}" if why else "")
        found.append((WARNING if state == "ONLINE" else CRITICAL, told))
    return found
