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
        "TOCSIN_PUBLIC_URL",
        "",
        "How people reach Tocsin, for links in messages; default: http(s)://HOST:PORT",
    ),
    Variable(
        "TOCSIN_TLS_CERTIFICATE",
        "",
        "File of a certificate chain: HTTPS instead of HTTP, and STARTTLS for mail; default: none",
    ),
    Variable("TOCSIN_TLS_KEY", "", "File of its private key; default: in the certificate's own file"),
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
    Variable(
        "TOCSIN_KEEP_INCIDENTS",
        "365",
        "Days closed incidents stay, with their alerts, record, failed runs and dead letters; 0: for ever",
    ),
    Variable(
        "TOCSIN_KEEP_RUNS",
        "90",
        "Days runs, sent messages and unread payloads stay, at most as long as their incident; 0: as long",
    ),
    Variable(
        "TOCSIN_SNS_TOPICS",
        "",
        "ARNs of the Amazon SNS topics that may post; their signatures are checked, subscriptions confirmed",
    ),
    Variable(
        "TOCSIN_SIGNATURE_MAX_AGE",
        "0",
        "Seconds a signed post is good for by its X-Tocsin-Timestamp; 0: the header may be missing",
    ),
    Variable(
        "TOCSIN_SOURCE_BUDGET",
        "25000",
        "Incidents a source may open a minute before the rest joins one storm incident; 0: no limit",
    ),
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
    Variable(
        "REDIS_URL",
        "",
        "redis[s]://user:password@host:port/0 or unix://path: rings workers on other machines; default: none",
    ),
    Variable(
        "CELERY_BROKER_URL",
        "redis://localhost:6379/0",
        "Where Celery's messages go, with celery -A tocsin worker",
    ),
    Variable("CELERY_TASK_ALWAYS_EAGER", "0", "1 runs Celery's tasks at once in the process that sends them"),
    Variable(
        "TOCSIN_CELERY_ALIVE",
        "",
        "File that a Celery worker touches each second while it is well, for probes; default: none",
    ),
    Variable("CHECKERS_SKIP_ALL", "0", "1 skips all health checks"),
    Variable("CHECKERS_SKIP", "", "Checkers to skip, comma-separated, such as cpu,memory"),
    Variable("NOTIFY_SKIP_ALL", "0", "1 sends nothing; runs record why"),
    Variable(
        "MQTT_URL",
        "",
        "mqtt[s]://user:password@host:port/base-topic of Zigbee2MQTT; default base topic: zigbee2mqtt",
    ),
    Variable(
        "TOCSIN_SMTP_LISTEN",
        "",
        "host:port that takes alerts by mail, such as 127.0.0.1:8025; beyond loopback a key is needed",
    ),
    Variable("CLUSTER_ENABLED", "0", "1 makes this a hub: agents push what they find here"),
    Variable("HUB_URL", "", "The hub that this machine's agent sends to, such as https://tocsin.example.com"),
    Variable(
        "TOCSIN_HUB_CA", "", "File of the authority behind the hub's certificate; default: the system's own"
    ),
    Variable(
        "TOCSIN_AGENT_CONFIG",
        "",
        "TOML file of what the agent checks; default: /etc/tocsin/agent.toml if it is there",
    ),
    Variable(
        "TOCSIN_SPOOL_MAX_MB", "50", "Megabytes that the agent keeps while the hub is away; then drops some"
    ),
    Variable("TOCSIN_SPOOL_MAX_AGE", "604800", "Seconds after which the agent drops what it could not send"),
    Variable("INSTANCE_ID", "", "Name of this machine; default: its host name"),
    Variable(
        "TOCSIN_DRAIN_SECONDS",
        "0",
        "Seconds that web serves on when asked to end, while /api/readyz says 503, for a balancer to see",
    ),
    Variable(
        "TOCSIN_WORKER_METRICS",
        "",
        "host:port where a worker run apart serves /metrics, such as 127.0.0.1:8421; beyond loopback by key",
    ),
    Variable("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR"),
    Variable(
        "TOCSIN_LOGS",
        "file",
        "Where /api/logs reads: file (log/ in the data directory), journald[:UNIT] or loki:http://HOST:3100",
    ),
    Variable("TOCSIN_LOG_MAX_BYTES", "33554432", "Bytes of its own log kept in log/; 0: no files"),
    Variable("TOCSIN_LOKI_LABELS", "job=tocsin", "Labels by which Loki has the log, comma-separated"),
    Variable(
        "TOCSIN_LOG_LINK",
        "",
        "URL of the logs of a trace, with {trace_id}, {start} and {end} in milliseconds; default: /api/logs",
    ),
    Variable(
        "THREADER_HOST", "127.0.0.1", "Address that tocsin threader listens on; beyond loopback by secret"
    ),
    Variable("THREADER_PORT", "9009", "Port that tocsin threader listens on"),
    Variable("THREADER_IMPL", "python", "What serves an instance of the threader; Tocsin's own is python"),
    Variable(
        "THREADER_SECRET", "", "What POST /alert must carry, as Bearer token or password; default: nothing"
    ),
    Variable(
        "THREADER_CONTINUE",
        "86400",
        "Seconds after its end in which a group that fires again goes on in its thread",
    ),
    Variable("SLACK_WEBHOOK_URL", "", "The threader's incoming webhook; it only posts, and has no threads"),
    Variable(
        "SLACK_BOT_TOKEN", "", "The bot token, xoxb-…, of the threader, and of forms where no channel has one"
    ),
    Variable(
        "SLACK_CHANNEL", "", "The channel that the threader posts to, best by its id, such as C0123456789"
    ),
    Variable(
        "SLACK_API_URL",
        "https://slack.com/api/",
        "Another endpoint of Slack's API, such as a proxy, for the threader, Socket Mode and answers",
    ),
    Variable(
        "SLACK_SIGNING_SECRET",
        "",
        "The Slack app's signing secret: what Slack posts to /chat/slack/ is taken; default: nothing is",
    ),
    Variable(
        "SLACK_APP_TOKEN",
        "",
        "The Slack app's app-level token, xapp-…, for Socket Mode, where Slack cannot reach this machine",
    ),
    Variable("WEBHOOK_SECRET_<DRIVER>", "", "HMAC key of one way in, such as WEBHOOK_SECRET_ALERTMANAGER"),
)
_DEFAULTS = {variable.name: variable.default for variable in VARIABLES}
_EVERYWHERE = ("0.0.0.0", "::")  # addresses to listen on, not to reach
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
    given, host = text("TOCSIN_PUBLIC_URL").rstrip("/"), text("TOCSIN_HOST")
    if host in _EVERYWHERE:
        host = socket.gethostname()
    scheme = "https" if text("TOCSIN_TLS_CERTIFICATE") else "http"
    return given or f"{scheme}://{f'[{host}]' if ':' in host else host}:{text('TOCSIN_PORT')}"


def own_hosts() -> list[str]:
    """The host names under which this installation is reached."""
    hosts = {"localhost", "127.0.0.1", "[::1]", instance_id(), urlsplit(public_url()).hostname or ""}
    if text("TOCSIN_HOST") not in _EVERYWHERE:
        hosts.add(text("TOCSIN_HOST"))
    return sorted(hosts - {""})


def instance_id() -> str:
    """The name of this machine."""
    return text("INSTANCE_ID") or socket.gethostname()


def bound_to_loopback() -> bool:
    """Whether only this machine can reach the web process."""
    return is_loopback(text("TOCSIN_HOST"))


def is_loopback(host: str) -> bool:
    """Whether what listens there can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
