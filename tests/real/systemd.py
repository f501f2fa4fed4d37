"""A systemd of the tests' own, process 1 in namespaces over this machine's root, with its own journal."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from tests.checkers.looking import Elsewhere, elsewhere
from tests.installed import require

SECONDS: Final = 30.0
BOOT: Final = r"""
root=$1
mount --make-rprivate /
mount --bind / "$root"
for own in /run /tmp /etc/systemd/system /var/log/journal /var/lib /var/cache; do
    mkdir -p "$root$own"
    mount -t tmpfs own "$root$own"
done
for shared in "${@:2}"; do
    mkdir -p "$root$shared"
    mount --bind "$shared" "$root$shared"
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mountpoint -q "$root/sys/fs/cgroup" || mount -t cgroup2 none "$root/sys/fs/cgroup"
cat >"$root/etc/systemd/system/box.target" <<'END'
[Unit]
Requires=systemd-journald.service
After=systemd-journald.service
END
exec chroot "$root" /usr/bin/env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=box.target --log-target=console --show-status=no
"""


class Systemd:
    """One that has booted."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", f"--target={pid}", "--mount", "--pid", "--uts", "--ipc", "--root", "--wd"]

    def do(self, *command: str, told: str = "", check: bool = True, seconds: float = SECONDS) -> str:
        """Run a command inside, with something on its standard input."""
        done = subprocess.run(
            [*self._enter, *command],
            input=told,
            text=True,
            stdout=subprocess.PIPE,
            check=check,
            timeout=seconds,
        )
        return done.stdout

    def unit(self, name: str, command: str, *settings: str) -> None:
        """Install a service of one command."""
        text = "\n".join(
            ["[Unit]", "StartLimitIntervalSec=0", "[Service]", f"ExecStart={command}", *settings, ""]
        )
        self.do("tee", f"/etc/systemd/system/{name}", told=text)
        self.do("systemctl", "daemon-reload")

    def log(self, priority: str, text: str, identifier: str = "shop") -> None:
        """Write a line to its journal, and wait until it is there."""
        self.do("systemd-cat", f"--identifier={identifier}", f"--priority={priority}", told=text + "\n")
        self.wait("journalctl", "--quiet", f"--grep={text}", f"--identifier={identifier}")

    def wait(self, *command: str) -> None:
        """Until a command succeeds."""
        until = time.monotonic() + SECONDS
        while subprocess.run([*self._enter, *command], stdout=subprocess.DEVNULL, check=False).returncode:
            assert time.monotonic() < until, command
            time.sleep(0.05)

    @contextmanager
    def looking(self, name: str, **options: Any) -> Iterator[Elsewhere]:
        """A checker that runs inside."""
        with elsewhere(self._enter, name, options) as found:
            yield found


@contextmanager
def systemd(folder: Path, *more: Path) -> Iterator[Systemd]:
    """Boot one that sees this repository and ``more`` folders; skips the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root may boot a systemd of one's own")
    apart = [
        require("unshare"), "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--cgroup", "--",
    ]  # fmt: skip
    if subprocess.run([*apart, "mount", "--make-rprivate", "/"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces of one's own are not allowed here")
    require("/lib/systemd/systemd")
    require("nsenter"), require("systemctl")
    (folder / "root").mkdir()
    seen = {Path(__file__).parents[2], sys.prefix, sys.base_prefix, *more}
    shared = [str(Path(path).resolve()) for path in seen]
    with (folder / "console.log").open("wb") as console, subprocess.Popen(
        [*apart, "bash", "-euc", BOOT, "boot", str(folder / "root"), *shared],
        stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
    ) as outer:  # fmt: skip
        try:
            yield _booted(outer, folder)
        finally:
            outer.kill()  # and with it all that runs inside


def _booted(outer: "subprocess.Popen[bytes]", folder: Path) -> Systemd:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and outer.poll() is None:
        for child in psutil.Process(outer.pid).children():
            inside = Systemd(child.pid)
            asked = [*inside._enter, "systemctl", "is-active", "--quiet", "box.target"]
            if not subprocess.run(asked, capture_output=True, check=False).returncode:
                return inside
        time.sleep(0.05)
    raise AssertionError((folder / "console.log").read_text(errors="replace"))
