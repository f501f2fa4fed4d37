"""Whether a restart is due: updates that take effect only then."""

import os
import re
import time
from itertools import chain
from pathlib import Path
from typing import Final

from pydantic import Field

from tocsin.checkers.checks import OK, WARNING, BaseChecker, CheckResult, Options
from tocsin.checkers.outside import program, run

KERNELS: Final = ("boot/vmlinuz-*", "lib/modules/*/vmlinuz", "usr/lib/modules/*/vmlinuz")
ASK_AGAIN_SECONDS: Final = 3_600.0  # needs-restarting takes seconds of processor time


class Config(Options):
    root: str = Field(default="/", description="The machine's root, for one who looks from a container")


class Checker(BaseChecker[Config]):
    """A restart that Debian or Red Hat ask for, or a kernel newer than the one that runs."""

    Config = Config
    everywhere = True
    _asked: tuple[float, str] = (float("-inf"), "")

    def check(self) -> CheckResult:
        said = self._debian() or self._red_hat() or self._kernel()
        status = WARNING if said else OK
        return CheckResult(
            "reboot_required", status, said or "no restart is due", {"required": float(bool(said))}
        )

    def _debian(self) -> str:
        asks = Path(self.config.root, "run/reboot-required")
        if not asks.exists():
            return ""
        packages = asks.with_name("reboot-required.pkgs")
        names = sorted(set(packages.read_text().split())) if packages.exists() else []
        return "a restart is due" + (f" for {', '.join(names[:5])}" if names else "")

    def _red_hat(self) -> str:
        asked_at, said = self._asked
        if self.config.root != "/" or time.monotonic() - asked_at < ASK_AGAIN_SECONDS:
            return said
        said = ""
        if asks := program("needs-restarting"):
            # It ends with 1 where a restart is due, and also where it fails itself: only its words tell.
            answer = run(asks, "-r", seconds=self.config.timeout * 0.8)
            said = "a restart is due for updated packages" if "Reboot is required" in answer.out else ""
        self._asked = (time.monotonic(), said)
        return said

    def _kernel(self) -> str:
        found = chain.from_iterable(Path(self.config.root).glob(kernel) for kernel in KERNELS)
        names = {path.parent.name if path.name == "vmlinuz" else path.name[8:] for path in found}
        running = os.uname().release
        newest = newer(running, names)
        return f"kernel {newest} is installed, {running} runs" if newest else ""


def newer(running: str, installed: set[str]) -> str:
    """The newest of the kernels of the running one's flavour, where it is newer than that."""
    rivals = [kernel for kernel in installed if _flavour(kernel) == _flavour(running)]
    newest = max(rivals, key=_order, default=running)
    return newest if _order(newest) > _order(running) else ""


def _flavour(release: str) -> list[str]:
    return re.findall(r"[a-z]+", release.lower())


def _order(release: str) -> list[tuple[int, int, str]]:
    # As rpm and dpkg have it, a number is newer than a word in its place: 362.8.el9 than 362.el9.
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in re.findall(r"\d+|[a-z]+", release.lower())
    ]
