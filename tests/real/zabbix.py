"""Zabbix's own media types, run by its own script engine.

The scripts are read where the installed package has them; their licence keeps them out of this tree.
"""

import gzip
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.installed import require

_LITERAL: Final = re.compile(r"E'((?:[^'\\]|''|\\.)*)'|'((?:[^']|'')*)'", re.S)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_MACRO: Final = re.compile(r"\{[$A-Z][A-Z.]*\}")


class MediaType:
    """One of them; ``parameters`` are as Zabbix ships them, with its macros in them."""

    def __init__(self, name: str, folder: Path) -> None:
        self._engine = require("zabbix_js")
        data = _data(require("/usr/share/zabbix-server-pgsql/data.sql.gz"))
        [row] = [row for row in _rows(data, "media_type") if row["name"] == name]
        self.script = row["script"]
        self.parameters = {
            given["name"]: given["value"]
            for given in _rows(data, "media_type_param")
            if given["mediatypeid"] == row["mediatypeid"]
        }
        self._folder = folder

    def run(self, macros: dict[str, str]) -> str:
        """Do as the server does for one event: what the script gave. A macro that is not given stays."""
        given = {
            name: _MACRO.sub(lambda macro: macros.get(macro[0][1:-1], macro[0]), value)
            for name, value in self.parameters.items()
        }
        script, parameters = self._folder / "script.js", self._folder / "parameters.json"
        script.write_text(self.script)
        parameters.write_text(json.dumps(given))
        command = [self._engine, "-s", str(script), "-i", str(parameters), "-t", "30"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@cache
def _data(path: str) -> str:
    with gzip.open(path, "rt", encoding="utf-8") as data:
        return data.read()


def _rows(data: str, table: str) -> list[dict[str, Any]]:
    """What is inserted into a table."""
    found = []
    for begin in re.finditer(rf"^INSERT INTO {table} \(([a-z_,]+)\) values \(", data, re.M):
        columns, place, row = begin[1].split(","), begin.end(), []
        while literal := _LITERAL.match(data, place):
            row.append(_text(literal))
            place = literal.end() + 1
        found.append(dict(zip(columns, row, strict=True)))
    return found


def _text(literal: "re.Match[str]") -> str:
    if literal[1] is None:
        return literal[2].replace("''", "'")
    return re.sub(r"\\(.)|''", lambda found: _ESCAPES.get(found[1] or "'", found[1] or "'"), literal[1])
