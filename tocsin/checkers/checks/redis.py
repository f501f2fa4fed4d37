"""How a Redis or Valkey server does."""

from collections.abc import Mapping
from io import BufferedReader

from pydantic import Field, SecretStr

from tocsin.checkers.checks import (
    CRITICAL,
    OK,
    WARNING,
    BaseChecker,
    CheckResult,
    Finding,
    Thresholds,
    summary,
)
from tocsin.checkers.dial import Connection, deadline, dial, reach, tls_context, unavailable
from tocsin.core.errors import Rejected, Unavailable

_MOST = 1_048_576


class Config(Thresholds):
    host: str = Field(default="127.0.0.1", description="Where it is")
    port: int = Field(default=6379, gt=0, lt=65_536, description="Its port")
    username: str = Field(default="", description="User, where it asks for one")
    password: SecretStr = Field(default=SecretStr(""), description="Password, where it asks for one")
    tls: bool = Field(default=False, description="Whether to connect with TLS")
    verify: bool = Field(default=True, description="Whether its certificate must be trusted")
    ca_file: str = Field(default="", description="File of the authorities to trust; default: the system's")
    warning: float = Field(default=80, description="Percent of maxmemory from which it is a warning")
    critical: float = Field(default=95, description="Percent of maxmemory from which it is critical")


class Checker(BaseChecker[Config]):
    """PING and INFO: memory of maxmemory, the link to its primary, and whether it can still save."""

    Config = Config

    def check(self) -> CheckResult:
        asked, until = self.config, deadline(self.config.timeout)
        try:
            with dial(asked.host, asked.port, until, reach(self.trusted)) as connection:
                info = self._info(connection)
        except Unavailable as error:
            return CheckResult("redis", CRITICAL, str(error))
        used, most = float(info.get("used_memory", 0)), float(info.get("maxmemory", 0))
        clients = float(info.get("connected_clients", 0))
        metrics = {"used_bytes": used, "clients": clients}
        told = f"{used / 2**20:.1f} MiB used, {clients:.0f} clients, role {info.get('role', 'unknown')}"
        findings = _amiss(info)
        if most:
            metrics["used_percent"] = round(100 * used / most, 3)
            findings.append((asked.status(100 * used / most), f"memory is {100 * used / most:.0f} % full"))
        status, message = summary(findings, told)
        return CheckResult("redis", status, message, metrics)

    def _info(self, connection: Connection) -> dict[str, str]:
        asked = self.config
        with unavailable(connection.where):
            if asked.tls:
                connection.secured(tls_context(asked.verify, asked.ca_file), asked.host)
            heard = connection.makefile()
            if secret := asked.password.get_secret_value():
                _ask(connection, heard, "AUTH", *filter(None, (asked.username, secret)))
            _ask(connection, heard, "PING")
            lines = _ask(connection, heard, "INFO").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


def _amiss(info: Mapping[str, str]) -> list[Finding]:
    replica = info.get("role") == "slave"
    failing = {
        "it is still loading its data": info.get("loading") == "1",
        "its last snapshot failed": info.get("rdb_last_bgsave_status", "ok") != "ok",
        "its append-only file could not be rewritten": info.get("aof_last_bgrewrite_status", "ok") != "ok",
    }
    broken = {
        "its link to its primary is down": replica and info.get("master_link_status") != "up",
        "it cannot write to its append-only file": info.get("aof_last_write_status", "ok") != "ok",
    }
    return [
        *((WARNING if amiss else OK, told) for told, amiss in failing.items()),
        *((CRITICAL if amiss else OK, told) for told, amiss in broken.items()),
    ]


def _ask(connection: Connection, heard: BufferedReader, *words: str) -> str:
    """One command in Redis' protocol, and its answer. Raises Rejected for an error, EOFError for none."""
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()) for word in words]
    connection.sendall(b"".join(parts))
    line = heard.readline(_MOST).decode("utf-8", "replace").strip()
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise Rejected(f"{words[0]}: {rest[:200]}")
    if kind == "$" and rest.isdecimal() and int(rest) <= _MOST:
        return heard.read(int(rest) + 2).decode("utf-8", "replace")
    if kind == "+":
        return rest
    raise EOFError(f"it does not speak Redis' protocol: {line[:60]!r}" if line else "it hung up")
