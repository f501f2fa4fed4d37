"""Whether containers run and are healthy."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec
from pydantic import Field

from tocsin.checkers.checks import CRITICAL, OK, WARNING, BaseChecker, CheckResult, Finding, Options, summary
from tocsin.checkers.dial import deadline, dial_path, unavailable
from tocsin.checkers.fetch import exchange
from tocsin.core import clock
from tocsin.core.errors import Forbidden, Unavailable

_MOST: Final = 8 * 1_048_576
_LATELY_SECONDS: Final = 600.0


class Config(Options):
    names: list[str] = Field(
        default=[], description="Containers that must run; default: all that are not stopped"
    )
    socket: str = Field(default="/var/run/docker.sock", description="Socket of Docker's or Podman's API")
    restarts: int = Field(
        default=3, ge=1, description="Restarts from which a container that began lately loops: a warning"
    )


class Checker(BaseChecker[Config]):
    """Containers that do not run, are unhealthy, or are restarted again and again, by Docker's own API."""

    Config = Config
    trusted_only = True

    def check(self) -> CheckResult:
        if not self.trusted:
            raise Forbidden("sockets of this machine are only for checks that are set up on this machine")
        until, metrics = deadline(self.config.timeout), {"running": 0.0}
        try:
            listed = self._asked("/containers/json?all=1", until)
            known = {name.lstrip("/"): each for each in listed for name in each.get("Names") or ()}
            wanted = self.config.names or [name for name, each in known.items() if _lives(each)]
            findings = [self._finding(name, known.get(name), until, metrics) for name in wanted]
        except Unavailable as error:
            return CheckResult("docker", CRITICAL, str(error))
        status, message = summary(findings, f"{len(wanted)} containers run")
        return CheckResult("docker", status, message, metrics)

    def _finding(
        self, name: str, listed: dict[str, Any] | None, until: float, metrics: dict[str, float]
    ) -> Finding:
        if listed is None:
            return CRITICAL, f"there is no container {name}"
        found = self._asked(f"/containers/{quote(str(listed['Id']))}/json", until)
        state, restarts = found.get("State") or {}, int(found.get("RestartCount") or 0)
        metrics["running"] += state.get("Status") == "running"
        metrics[f"restarts[{name}]"] = restarts
        health = (state.get("Health") or {}).get("Status", "none")
        if state.get("Status") != "running":
            code = (
                f" (exit code {state.get('ExitCode')})" if state.get("Status") in ("exited", "dead") else ""
            )
            return CRITICAL, f"{name} is {state.get('Status')}{code}"
        if health == "unhealthy":
            return CRITICAL, f"{name} is unhealthy"
        if restarts >= self.config.restarts and _age(state.get("StartedAt")) < _LATELY_SECONDS:
            return WARNING, f"{name} was restarted {restarts} times, the last time lately"
        return OK, f"{name} runs"

    def _asked(self, path: str, until: float) -> Any:
        where = self.config.socket
        with dial_path(where, until) as connection, unavailable(where):
            answer = exchange(connection, path, "GET", {"Host": "docker"}, b"", _MOST)
        if answer.status != 200:
            raise Unavailable(f"{where}: HTTP {answer.status}: {answer.text[:200].strip()}")
        return msgspec.json.decode(answer.body)


def _lives(listed: dict[str, Any]) -> bool:
    """Whether it was not stopped on purpose, nor has merely been made."""
    return listed.get("State") not in ("created", "exited")


def _age(started_at: str | None) -> float:
    """Seconds since then; Docker's times have nine digits behind the point."""
    try:
        began = datetime.fromisoformat(f"{(started_at or '')[:19]}+00:00")
    except ValueError:
        return float("inf")
    return (clock.now() - began).total_seconds()
