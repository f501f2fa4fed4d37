"""Our log as our processes on this machine write it (``core/logfile.py``), read from its end."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from tocsin.core import logfile
from tocsin.fleet.logs.line import Asked, Line, newest, parse

BLOCK: Final = 256 * 1024
# Lines of several processes are in order but for as long as one of them took to write its own.
DISORDER: Final = timedelta(seconds=60)


def read(asked: Asked) -> list[Line]:
    """The newest lines that were asked for, newest first."""
    found: list[Line] = []
    for line in _backwards(asked):
        if asked.since is not None and line.at < asked.since - DISORDER:
            break
        if len(found) >= asked.limit and line.at < min(kept.at for kept in found[-asked.limit :]) - DISORDER:
            break
        if asked.wants(line):
            found.append(line)
    return newest(found, asked.limit)


def _backwards(asked: Asked) -> Iterator[Line]:
    # To look for the id as text is far cheaper than to read every line.
    sign = msgspec.json.encode(asked.trace_id)[1:-1] if asked.trace_id.isascii() else b""
    for path in logfile.files():
        for text in _lines(path):
            if sign in text and (line := parse(text)):
                yield line


def _lines(path: Path) -> Iterator[bytes]:
    """A file's lines, the last first."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return  # there is none yet, or it was moved on just now
    try:
        end, rest = os.fstat(file).st_size, b""
        while end > 0:
            begin = max(0, end - BLOCK)
            rest = os.pread(file, end - begin, begin) + rest
            end = begin
            lines = rest.split(b"\n")
            rest = lines[0]
            yield from (line for line in reversed(lines[1:]) if line)
            if len(rest) > logfile.LONGEST_LINE * 4:
                rest = b""  # no line of ours
        if rest:
            yield rest
    finally:
        os.close(file)
