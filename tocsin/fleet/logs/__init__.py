"""Our own log, to be read by people and programs: from files, systemd's journal or Loki (``TOCSIN_LOGS``)."""

from tocsin.core import config
from tocsin.core.errors import Misconfigured
from tocsin.fleet.logs import files, journald, loki
from tocsin.fleet.logs.line import Asked, Line


def read(asked: Asked) -> list[Line]:
    """The newest lines that were asked for, newest first. Raises Unavailable, Forbidden, Rejected or
    Misconfigured."""
    kind, _, where = config.text("TOCSIN_LOGS").partition(":")
    if kind == "file":
        return files.read(asked)
    if kind == "journald":
        return journald.read(where, asked)
    if kind == "loki":
        return loki.read(where, asked)
    raise Misconfigured(f"TOCSIN_LOGS={kind!r} is none of file, journald[:UNIT] and loki:http://HOST:3100")
