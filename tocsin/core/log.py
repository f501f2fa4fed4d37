"""Structured log lines: on stderr as JSON for programs, as aligned text on a terminal; and in files of our
own (``logfile.py``), where the log is read from those."""

import json
import logging
import os
import re
import sys
from functools import lru_cache
from typing import Final

import structlog

from tocsin.core import config
from tocsin.core.logfile import LogFile

LONGEST_VALUE: Final = 16_384
HIDDEN: Final = "••••••"
_SECRET_NAMES: Final = re.compile(
    r"(?i)(?:^|_)(?:password|passwd|secret|token|api_?key|authorization|cookie)$"
)
# What a library's line or an error's text could quote; ours name no secrets in the first place.
_SECRETS: Final = (
    (re.compile(r"(?i)\b(bearer|basic|geniekey)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"://[^/\s@]+@"), f"://{HIDDEN}@"),
    (re.compile(r"\btocsin_(?:agent_)?[\w-]{20,}"), HIDDEN),
    (re.compile(r"(/(?:sign-in|ping|push|source|services|v1/\w+)/)[\w./-]{16,}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)([?&](?:\w*token|\w*key|\w*secret|password)=)[^&\s\"']+"), rf"\1{HIDDEN}"),
)  # fmt: skip


# Most texts hold none of these, and to see that costs far less than to look for each.
_SUSPECT: Final = re.compile(r"(?i)bearer|basic|geniekey|tocsin_|[/?&@]")


def configure(level: str) -> None:
    """Send our lines and the libraries' through one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    as_json = _Once(_formatter(shared, structlog.processors.JSONRenderer()))
    on_stderr = logging.StreamHandler()
    on_stderr.setFormatter(
        _formatter(shared, structlog.dev.ConsoleRenderer()) if sys.stderr.isatty() else as_json
    )
    handlers: list[logging.Handler] = [on_stderr]
    most_bytes = config.number("TOCSIN_LOG_MAX_BYTES") if config.text("TOCSIN_LOGS") == "file" else 0
    if most_bytes:
        handlers.append(LogFile(most_bytes))
        handlers[-1].setFormatter(_OfThisProcess(as_json))
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, LogFile):
            old.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # we say ourselves when we are up


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def without_secrets(text: str) -> str:
    """A text in which what looks like a secret is hidden."""
    if _SUSPECT.search(text) is None:
        return text
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class _Once(logging.Formatter):
    """Words a line once, for all handlers that share it."""

    def __init__(self, worded: logging.Formatter) -> None:
        super().__init__()
        self._worded = worded

    def format(self, record: logging.LogRecord) -> str:
        line: str | None = record.__dict__.get("tocsin_line")
        if line is None:
            line = record.__dict__["tocsin_line"] = self._worded.format(record)
        return line


class _OfThisProcess(logging.Formatter):
    """Adds to a line of JSON which process wrote it."""

    def __init__(self, worded: logging.Formatter) -> None:
        super().__init__()
        self._worded = worded
        self._name = json.dumps(" ".join(sys.argv[1:2]) or "python")

    def format(self, record: logging.LogRecord) -> str:
        return f'{self._worded.format(record)[:-1]}, "process": {self._name}, "pid": {os.getpid()}}}'


def _formatter(
    shared: list[structlog.typing.Processor], last: structlog.typing.Processor
) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _safe,
            last,
        ],
    )


def _safe(
    logger: logging.Logger, method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The line without secrets, none of its values too long."""
    return {name: HIDDEN if value and _is_secret(name) else _fit(value) for name, value in line.items()}


@lru_cache(maxsize=1_000)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _fit(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    if text.isalnum():  # an id, a word
        return text[:LONGEST_VALUE]
    return without_secrets(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …")
