"""How full the file systems are: space and inodes."""

import os
from fnmatch import fnmatch
from typing import Final

import psutil
from pydantic import Field

from tocsin.checkers.checks import (
    UNKNOWN,
    BaseChecker,
    CheckResult,
    Finding,
    Thresholds,
    level,
    summary,
)

ALWAYS_FULL: Final = ["squashfs", "iso9660", "udf", "erofs", "cramfs"]


class Config(Thresholds):
    warning: float = Field(default=85, description="Percent of space used that is a warning")
    critical: float = Field(default=95, description="Percent of space used that is critical")
    inodes_warning: float = Field(default=85, description="Percent of inodes used that is a warning")
    inodes_critical: float = Field(default=95, description="Percent of inodes used that is critical")
    paths: list[str] = Field(default=["/"], description="File systems to look at, by any path on them")
    all_local: bool = Field(default=False, description="Besides them, all that lie on disks of this machine")
    exclude_types: list[str] = Field(default=ALWAYS_FULL, description="Types that all_local leaves out")
    exclude_paths: list[str] = Field(
        default=[], description="Mount points that all_local leaves out, such as /mnt/*"
    )


class Checker(BaseChecker[Config]):
    """Used space and inodes of each path's file system; the fullest decides."""

    Config = Config
    everywhere = True

    def check(self) -> CheckResult:
        findings: list[Finding] = []
        metrics: dict[str, float] = {}
        fullest, said = -1.0, "no file system is looked at"
        for path in self._paths():
            try:
                usage, room = psutil.disk_usage(path), os.statvfs(path)
            except OSError as error:
                findings.append((UNKNOWN, f"{path}: {(error.strerror or str(error)).lower()}"))
                continue
            text = f"{path} is {usage.percent:.0f} % full, {_size(usage.free)} free"
            findings.append((self.config.status(usage.percent), text))
            metrics[f"used_percent[{path}]"] = usage.percent
            metrics[f"free_bytes[{path}]"] = float(usage.free)
            metrics[f"total_bytes[{path}]"] = float(usage.total)
            if room.f_files:  # Btrfs and others make inodes as they need them
                used = room.f_files - room.f_ffree
                percent = round(100 * used / max(1, used + room.f_favail), 1)
                status = level(percent, self.config.inodes_warning, self.config.inodes_critical)
                findings.append((status, f"{path} has {percent:.0f} % of its inodes used"))
                metrics[f"inodes_used_percent[{path}]"] = percent
            if usage.percent > fullest:
                fullest, said = usage.percent, text
        status, message = summary(findings, said)
        return CheckResult("disk", status, message, metrics)

    def _paths(self) -> list[str]:
        return list(dict.fromkeys(self.config.paths + (self._local() if self.config.all_local else [])))

    def _local(self) -> list[str]:
        mounted: dict[str, str] = {}  # a device is often mounted at several points; the first is its own
        for part in psutil.disk_partitions(all=False):
            if part.fstype not in self.config.exclude_types:
                mounted.setdefault(part.device, part.mountpoint)
        excluded = self.config.exclude_paths
        return [path for path in mounted.values() if not any(fnmatch(path, out) for out in excluded)]


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**27 else f"{count / 2**20:.1f} MiB"
