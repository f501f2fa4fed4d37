"""Where to listen, from the settings."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from tocsin.core import config
from tocsin.core.errors import Misconfigured

BASE_TOPIC: Final = "zigbee2mqtt"
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_BROKER_FORM: Final = "mqtt://[user:password@]host[:port][/base-topic], or mqtts:// with TLS"


@dataclass(frozen=True)
class Broker:
    """An MQTT broker, and the topic below which Zigbee2MQTT publishes."""

    host: str
    port: int
    tls: bool
    base: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Bound:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def to_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return config.is_loopback(self.host)


def mqtt() -> Broker | None:
    """The broker in ``MQTT_URL``; None where it is not set. Raises Misconfigured."""
    given = config.text("MQTT_URL")
    if not given:
        return None
    parts, port = _split("MQTT_URL", given, _BROKER_FORM)
    base = unquote(parts.path).strip("/") or BASE_TOPIC
    if parts.scheme not in _PORTS or not parts.hostname or "#" in given or set(base) & set("+#\0"):
        raise Misconfigured(f"MQTT_URL cannot be used: give {_BROKER_FORM}; a base topic has no + or #")
    return Broker(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        base=base,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def smtp() -> Bound | None:
    """The address in ``TOCSIN_SMTP_LISTEN``; None where it is not set. Raises Misconfigured."""
    return bound("TOCSIN_SMTP_LISTEN", "127.0.0.1:8025")


def bound(name: str, example: str) -> Bound | None:
    """The address in a setting of that name; None where it is not set. Raises Misconfigured."""
    given = config.text(name)
    if not given:
        return None
    form = f"host:port, such as {example}"
    parts, port = _split(name, f"//{given}", form)
    if not parts.hostname or not port or parts.path or "@" in parts.netloc:
        raise Misconfigured(f"{name}={given!r} cannot be used: give {form}")
    return Bound(parts.hostname, port)


def _split(name: str, given: str, form: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(given)
        return parts, parts.port
    except ValueError as error:  # without the value, which may hold a password
        raise Misconfigured(f"{name} cannot be used: give {form}") from error
