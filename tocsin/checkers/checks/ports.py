"""Which ports are open on this machine."""

import ipaddress
import socket
from typing import TypeAlias

import psutil
from pydantic import Field

from tocsin.checkers.checks import CRITICAL, WARNING, BaseChecker, CheckResult, Finding, Options, summary

# By protocol and port: the addresses it is open at, and the process where we may know it.
Open: TypeAlias = dict[tuple[str, int], list[tuple[str, int | None]]]


class Config(Options):
    tcp: list[int] = Field(default=[], description="TCP ports that must be open")
    udp: list[int] = Field(default=[], description="UDP ports that must be open")
    only: bool = Field(default=False, description="Whether any other TCP port that is open is a warning")
    allowed: list[int] = Field(default=[], description="TCP ports that may be open besides, with only")
    loopback: bool = Field(
        default=False, description="Whether only minds ports that this machine alone reaches"
    )


class Checker(BaseChecker[Config]):
    """Ports that must be open are, and none besides where so wanted."""

    Config = Config

    def check(self) -> CheckResult:
        found = listening()
        wanted = [("tcp", port) for port in self.config.tcp] + [("udp", port) for port in self.config.udp]
        findings: list[Finding] = [
            (CRITICAL, f"{kind} port {port} is not open")
            for kind, port in wanted
            if (kind, port) not in found
        ]
        if self.config.only:
            findings += [(WARNING, f"tcp port {port} is open{by}") for port, by in self._besides(found)]
        metrics = {
            "open_ports": float(len(found)),
            "missing_ports": float(sum(w not in found for w in wanted)),
        }
        well = "all ports are open that must be" + (", and none besides" if self.config.only else "")
        status, message = summary(findings, well)
        return CheckResult("ports", status, message, metrics)

    def _besides(self, found: Open) -> list[tuple[int, str]]:
        fine = {*self.config.tcp, *self.config.allowed}
        return [
            (port, _by(at))
            for (kind, port), at in sorted(found.items())
            if kind == "tcp" and port not in fine
            if self.config.loopback or not all(_local(address) for address, _ in at)
        ]


def listening() -> Open:
    """The ports that programs of this machine wait at."""
    found: Open = {}
    for connection in psutil.net_connections("inet"):
        tcp = connection.type == socket.SOCK_STREAM
        waits = connection.status == psutil.CONN_LISTEN if tcp else not connection.raddr
        if waits and connection.laddr:
            key = ("tcp" if tcp else "udp", connection.laddr.port)
            found.setdefault(key, []).append((connection.laddr.ip, connection.pid))
    return found


def _local(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _by(at: list[tuple[str, int | None]]) -> str:
    pid = next((pid for _, pid in at if pid), None)
    try:
        return f" by {psutil.Process(pid).name()}" if pid else ""
    except psutil.Error:
        return ""
