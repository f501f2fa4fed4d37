"""Settings from the environment, then from ``.env``; every one is declared here once.

``.env.sample`` and the docs' list of settings are checked against ``VARIABLES``.
"""

import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import load_dotenv

from tocsin.core.errors import Misconfigured


@dataclass(frozen=True)
class Variable:
    """One environment variable: its default as text, and what it means."""

    name: str
    default: str
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "TOCSIN_DATA_DIR", "", "Database, keys and run files; default: tocsin in the user's data directory"
    ),
    Variable(
        "TOCSIN_HOST",
        "127.0.0.1",
        "Address to listen on; beyond loopback every way in needs a key or signature",
    ),
    Variable("TOCSIN_PORT", "8420", "Port to listen on"),
    Variable(
        "TOCSIN_PUBLIC_URL", "", "How people reach Tocsin, for links in messages; default: http://HOST:PORT"
    ),
    Variable(
        "TOCSIN_SECRET_KEYS",
        "",
        "Keys that encrypt secrets at rest, comma-separated, current first; made at first start",
    ),
    Variable(
        "TOCSIN_OUTBOUND_ALLOW", "", "CIDRs and host names that may be reached besides public addresses"
    ),
    Variable("TOCSIN_GROUP_BY", "alertname,instance", "Labels whose values put alerts into one incident"),
    Variable(
        "TOCSIN_RESOLVE_TIMEOUT",
        "300",
        "Seconds after which an API alert without endsAt expires unless sent again",
    ),
    Variable("TOCSIN_CLOSE_AFTER", "300", "Seconds a resolved incident can still reopen before it is closed"),
    Variable("TOCSIN_INTAKE_MAX_BYTES", "5242880", "Largest body taken in, also after inflating gzip"),
    Variable("TOCSIN_INTAKE_QUEUE", "50000", "Alerts that may wait for the disk before new posts get 503"),
    Variable(
        "DJANGO_SECRET_KEY",
        "",
        "Signs sessions; must be set in production; made in the data directory where not set",
    ),
    Variable("DJANGO_DEBUG", "0", "1 shows error pages with details; never in production"),
    Variable(
        "DJANGO_ALLOWED_HOSTS",
        "",
        "Host names served, comma-separated; default: this machine's and the public URL's",
    ),
    Variable("DATABASE_URL", "", "postgres://… or mysql://…; default: SQLite in the data directory"),
    Variable("CHECKERS_SKIP_ALL", "0", "1 skips all health checks"),
    Variable("CHECKERS_SKIP", "", "Checkers to skip, comma-separated, such as cpu,memory"),
    Variable("NOTIFY_SKIP_ALL", "0", "1 sends nothing; runs record why"),
    Variable("INSTANCE_ID", "", "Name of this machine; default: its host name"),
    Variable("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR"),
    Variable("WEBHOOK_SECRET_<DRIVER>", "", "HMAC key of one way in, such as WEBHOOK_SECRET_ALERTMANAGER"),
)
_DEFAULTS = {variable.name: variable.default for variable in VARIABLES}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def load_env_file() -> None:
    """Read ``.env`` of the working directory; the process' own variables win."""
    load_dotenv(Path.cwd() / ".env")


def text(name: str) -> str:
    """A declared variable's value, or its default."""
    return os.environ.get(name, "").strip() or _DEFAULTS[name]


def flag(name: str) -> bool:
    """A variable as yes or no. Raises Misconfigured for anything else."""
    value = text(name).lower()
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise Misconfigured(f"{name}={value!r} is neither yes nor no: use 1 or 0")


def number(name: str) -> int:
    """A variable as a whole number, 0 or more. Raises Misconfigured for anything else."""
    value = text(name)
    if not value.isdecimal():
        raise Misconfigured(f"{name}={value!r} is not a whole number")
    return int(value)


def words(name: str) -> list[str]:
    """A comma-separated variable as its parts."""
    return [part.strip() for part in text(name).split(",") if part.strip()]


def webhook_secret(driver: str) -> str:
    """The HMAC key of one driver's way in; empty where none is set."""
    return os.environ.get(f"WEBHOOK_SECRET_{driver.upper()}", "").strip()


def data_dir() -> Path:
    """The directory that holds everything Tocsin keeps, made 0700."""
    given = text("TOCSIN_DATA_DIR")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    path = Path(given) if given else Path(base) / "tocsin"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def kept_secret(name: str, value: str) -> str:
    """A secret from the environment, else the one kept in the data directory, made at first use."""
    if value:
        return value
    path = data_dir() / name
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text().strip()


def public_url() -> str:
    """Where people open Tocsin, without a slash at the end."""
    return text("TOCSIN_PUBLIC_URL").rstrip("/") or f"http://{text('TOCSIN_HOST')}:{text('TOCSIN_PORT')}"


def own_hosts() -> list[str]:
    """The host names under which this installation is reached."""
    hosts = {"localhost", "127.0.0.1", "[::1]", instance_id(), urlsplit(public_url()).hostname or ""}
    if text("TOCSIN_HOST") not in ("0.0.0.0", "::"):
        hosts.add(text("TOCSIN_HOST"))
    return sorted(hosts - {""})


def instance_id() -> str:
    """The name of this machine."""
    return text("INSTANCE_ID") or socket.gethostname()


def bound_to_loopback() -> bool:
    """Whether only this machine can reach the web process."""
    host = text("TOCSIN_HOST")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
