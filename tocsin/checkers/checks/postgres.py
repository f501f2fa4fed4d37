"""How a PostgreSQL server does."""

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, SecretStr

from tocsin.checkers.checks import CRITICAL, BaseChecker, CheckResult, Finding, Thresholds, level, summary
from tocsin.checkers.dial import deadline, left, reach, resolved
from tocsin.core.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from tocsin.core.outbound import Allowed

_INSTALLED: Final = find_spec("psycopg") is not None  # an extra, which only who checks PostgreSQL needs
_ASK: Final = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
  current_setting('max_connections')::int AS most,
  (SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS longest,
  (SELECT sum(deadlocks) FROM pg_stat_database) AS deadlocks,
  CASE WHEN NOT pg_is_in_recovery()
    THEN (SELECT extract(epoch FROM max(replay_lag)) FROM pg_stat_replication)
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END AS lag
"""


class Config(Thresholds):
    dsn: SecretStr = Field(
        description="Where it is and who asks, such as postgresql://user:password@host/name"
    )
    warning: float = Field(default=80, description="Percent of max_connections from which it is a warning")
    critical: float = Field(default=95, description="Percent of max_connections from which it is critical")
    lag_warning: float = Field(default=30, description="Seconds of replication lag: a warning")
    lag_critical: float = Field(default=300, description="Seconds of replication lag: critical")
    transaction_warning: float = Field(default=900, description="Seconds a transaction is open: a warning")
    transaction_critical: float = Field(default=3_600, description="Seconds a transaction is open: critical")
    deadlocks_warning: float = Field(
        default=1, description="Deadlocks a minute since the last check: a warning"
    )
    deadlocks_critical: float = Field(default=30, description="Deadlocks a minute: critical")


class Checker(BaseChecker[Config]):
    """Connections in use, replication lag, the longest transaction and deadlocks; needs psycopg, the
    extra postgres. The user needs the role pg_monitor to see others' transactions."""

    Config = Config
    _before: tuple[float, float] | None = None  # when, and how many deadlocks there were

    def check(self) -> CheckResult:
        if not _INSTALLED:
            raise Misconfigured("this needs psycopg: pip install 'tocsin[postgres]'")
        try:
            found = self._asked(deadline(self.config.timeout))
        except Unavailable as error:
            return CheckResult("postgres", CRITICAL, str(error))
        asked, used = self.config, 100 * found["connections"] / found["most"]
        rate, lag, longest = self._rate(found["deadlocks"]), found["lag"], found["longest"]
        metrics = {
            "used_percent": used,
            "connections": found["connections"],
            "longest_transaction_seconds": longest,
        }
        findings: list[Finding] = [
            (asked.status(used), f"{found['connections']:.0f} of {found['most']:.0f} connections are used"),
            (level(longest, asked.transaction_warning, asked.transaction_critical),
             f"a transaction has been open for {longest:.0f} s"),
        ]  # fmt: skip
        if lag is not None:
            metrics["replication_lag_seconds"] = lag
            findings.append(
                (level(lag, asked.lag_warning, asked.lag_critical), f"replication lags {lag:.0f} s")
            )
        if rate is not None:
            metrics["deadlocks_per_minute"] = rate
            told = f"{rate:.1f} deadlocks a minute"
            findings.append((level(rate, asked.deadlocks_warning, asked.deadlocks_critical), told))
        status, message = summary(findings, findings[0][1])
        return CheckResult(
            "postgres", status, message, {name: round(value, 3) for name, value in metrics.items()}
        )

    def _asked(self, until: float) -> dict[str, Any]:
        import psycopg  # here, as loading it takes longer than most checks

        given = _guarded(self.config.dsn.get_secret_value(), until, reach(self.trusted))
        try:
            given |= {"connect_timeout": max(2, int(left(until))), "application_name": "tocsin"}
            with psycopg.connect(**given, autocommit=True) as connection:
                patience = max(1, int(left(until) * 1000))
                connection.execute(
                    f"SET statement_timeout = {patience}; SET default_transaction_read_only = on"
                )
                cursor = connection.execute(_ASK)
                row = cursor.fetchone() or ()
                names = [column.name for column in cursor.description or ()]
        except psycopg.Error as error:
            raise Unavailable(" ".join(str(error).split())[:500]) from None
        return {name: None if value is None else float(value) for name, value in zip(names, row, strict=True)}

    def _rate(self, deadlocks: float | None) -> float | None:
        """Deadlocks a minute since the last look; None at the first."""
        now, before = time.monotonic(), self._before
        self._before = now, deadlocks or 0
        if before is None or now <= before[0]:
            return None
        return max(0.0, (deadlocks or 0) - before[1]) / (now - before[0]) * 60


def _guarded(dsn: str, until: float, allow: "Allowed | None") -> dict[str, Any]:
    """A connection string as parameters, with the addresses that may be reached."""
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(dsn)
    except Error:  # its message would repeat the string
        raise Misconfigured("dsn is no connection string") from None
    hosts = str(given.get("host") or "").split(",")
    addresses = []
    for host in str(given.get("hostaddr") or "").split(",") if given.get("hostaddr") else hosts:
        local = not host or host.startswith(("/", "@"))
        addresses += ["" if local else resolved(host, 5432, until, allow)[0]]
        if local and allow is not None:
            allow.check(host or "this machine's socket", "127.0.0.1")
    return {**given, "hostaddr": ",".join(addresses)} if any(addresses) else dict(given)
