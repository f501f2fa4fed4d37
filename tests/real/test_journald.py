"""Our own log from a real journal: a unit writes as our processes do, and is read back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.systemd import Systemd, systemd

pytestmark = pytest.mark.real

READ = """
import json, os, sys
from datetime import datetime
os.environ['DJANGO_SETTINGS_MODULE'] = 'tocsin.settings'
import django; django.setup()
import msgspec
from tocsin.fleet import logs
from tocsin.fleet.logs.line import Asked
print(msgspec.json.encode(logs.read(msgspec.convert(json.loads(sys.argv[1]), Asked))).decode())
"""
WRITE = """
import os, sys
os.environ['DJANGO_SETTINGS_MODULE'] = 'tocsin.settings'
import django; django.setup()
from tocsin.core import log
log.get('tocsin.shop').info('shop.opened', trace_id='t-1')
log.get('tocsin.shop.till').error('till.failed', trace_id='t/2+x.(y)', error='line 1\\nline 2 \\u00e4')
log.get('tocsin.shop').warning('shop.long', trace_id='t-3', text='x' * 10_000)
print('Traceback: no JSON at all', file=sys.stderr)
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    with systemd(tmp_path_factory.mktemp("systemd")) as booted:
        folder = "/run/shop"
        booted.do("mkdir", "-p", folder)
        for name, code in (("write.py", WRITE), ("read.py", READ)):
            booted.do("tee", f"{folder}/{name}", told=code)
        root, python = _here()
        for unit in ("tocsin-shop.service", "other.service"):
            booted.unit(
                unit,
                f"{python} {folder}/write.py",
                "Type=oneshot",
                f"Environment=TOCSIN_DATA_DIR={folder} TOCSIN_LOGS=journald PYTHONPATH={root}",
            )
            booted.do("systemctl", "start", unit)
        booted.do("journalctl", "--sync")
        yield booted


def _here() -> tuple[Path, str]:
    root = Path(__file__).parents[2].resolve()
    return root, str(root / ".venv" / "bin" / "python")


def read(box: Systemd, **asked: object) -> list[dict[str, object]]:
    root, python = _here()
    environment = ("TOCSIN_DATA_DIR=/run/shop", "TOCSIN_LOGS=journald", f"PYTHONPATH={root}")
    told = box.do("env", *environment, python, "/run/shop/read.py", json.dumps(asked))
    found: list[dict[str, object]] = json.loads(told)
    return found


def test_lines_of_our_units_newest_first(box: Systemd) -> None:
    found = [line["event"] for line in read(box) if line["source"] != "systemd"]
    assert found == ["Traceback: no JSON at all", "shop.long", "till.failed", "shop.opened"]


def test_by_trace_level_source_and_time(box: Systemd) -> None:
    failed = read(box, trace_id="t/2+x.(y)")
    assert [line["event"] for line in failed] == ["till.failed"]
    assert failed[0]["fields"] == {"error": "line 1\nline 2 ä"}
    assert read(box, trace_id="t/2+xx(y)") == []
    assert [line["event"] for line in read(box, levels=["warning"])] == ["shop.long"]
    assert [line["event"] for line in read(box, source="tocsin.shop.till")] == ["till.failed"]
    at = failed[0]["at"]
    assert [line["event"] for line in read(box, since=at, until=at)] == ["till.failed"]
    assert read(box, until="2020-01-01T00:00:00Z") == []
    assert len(read(box, limit=2)) == 2
