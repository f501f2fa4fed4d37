"""Machines of their own on one network: namespaces on a bridge, whose cables can be pulled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.installed import lacking, require

_NET = "10.213.77"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


@dataclass(frozen=True)
class Machine:
    """One of them."""

    name: str
    address: str
    cable: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command there begins with; its host has a name of its own."""
        named = 'echo "$0" > /proc/sys/kernel/hostname; exec "$@"'
        return ("ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-ec", named, self.name)

    def unplug(self) -> None:
        """Nothing passes, and nobody is told."""
        _ip("link", "set", self.cable, "down")

    def plug_in(self) -> None:
        """All passes again."""
        _ip("link", "set", self.cable, "up")

    def lose_answers(self) -> None:
        """What it sends arrives; what it is answered does not."""
        _ip("route", "add", "blackhole", f"{self.address}/32")

    def hear_answers(self) -> None:
        """All passes again."""
        _ip("route", "del", "blackhole", f"{self.address}/32")


@dataclass(frozen=True)
class Network:
    """The machines, and where they find this one."""

    address: str
    machines: list[Machine]


@contextmanager
def network(count: int) -> Iterator[Network]:
    """So many machines. Skips the test where namespaces are not to be had."""
    require("ip")
    require("unshare")
    bridge = f"tocsin{os.getpid()}"
    if subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], capture_output=True).returncode:
        lacking("networks of one's own are not allowed here")
    machines = [
        Machine(f"{bridge}-{number}", f"{_NET}.{number + 10}", f"tc{os.getpid()}-{number}")
        for number in range(count)
    ]
    made: list[Machine] = []
    try:
        _ip("addr", "add", f"{_NET}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for machine in machines:
            _ip("netns", "add", machine.name)
            made.append(machine)
            _connect(machine, bridge)
        yield Network(f"{_NET}.1", machines)
    finally:
        for machine in made:
            subprocess.run(["ip", "netns", "del", machine.name], check=False)
        subprocess.run(["ip", "link", "del", bridge], check=False)


def _connect(machine: Machine, bridge: str) -> None:
    _ip("link", "add", machine.cable, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
    _ip("link", "set", machine.cable, "master", bridge, "up")
    _ip("-n", machine.name, "addr", "add", f"{machine.address}/24", "dev", "eth0")
    _ip("-n", machine.name, "link", "set", "lo", "up")
    _ip("-n", machine.name, "link", "set", "eth0", "up")
