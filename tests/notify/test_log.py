"""Messages in Tocsin's own log."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.notify.messages import HOSTILE, alert, message
from tests.notify.through import send
from tests.program import python
from tocsin.core.errors import Rejected
from tocsin.notify.drivers import log
from tocsin.notify.drivers.log import Config, Driver, line

PROGRAM = """
import asyncio, msgspec
from tocsin.core.http import Client
from tocsin.notify.drivers.log import Config, Driver
from tocsin.notify.message import Message
told = msgspec.json.decode(os.environ["TOLD"], type=Message)
print(asyncio.run(Driver(Config(level="warning")).send(told, Client())))
"""


def _told(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record.msg for record in caplog.records if record.name == log.__name__]


async def test_the_line_says_what_is_the_matter(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told = message(
        findings=["disk is full"], owner="Ada", note="third try", runbook="https://wiki.example.com"
    )
    assert await send(Driver(Config()), told) == "logged"
    [line] = _told(caplog)
    assert (line["event"], line["level"]) == ("message.told", "info")
    assert line["headline"] == "[FIRING] HighCPU on web-1"
    assert line["text"] == (
        "HighCPU on web-1 · firing\nCPU at 97 % for ten minutes\n\ndisk is full\nAda is on it\nthird try"
    )
    assert (line["trace_id"], line["incident_id"]) == (told.trace_id, 12)
    assert line["runbook"] == "https://wiki.example.com"


async def test_a_level_that_the_log_leaves_out_is_no_success(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "warning")
    with pytest.raises(Rejected, match="LOG_LEVEL leaves out lines of level info"):
        await send(Driver(Config()))
    await send(Driver(Config(level="warning")))
    [line] = _told(caplog)
    assert line["level"] == "warning"


async def test_it_is_written_where_a_command_keeps_the_log_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    caplog.handler.setLevel(logging.NOTSET)
    await send(Driver(Config()))
    assert len(_told(caplog)) == 1


def test_on_the_way_out_it_is_one_line_of_json_whatever_it_says(tmp_path: Path) -> None:
    text = f'{HOSTILE}\n{{"event": "forged"}}\r\x1b[2J'
    told = message(title=text, alerts=[alert(name=text, annotations={"summary": text})])
    ran = python(PROGRAM, data_dir=tmp_path, TOLD=msgspec.json.encode(told).decode())
    [written] = ran.stderr.splitlines()
    assert msgspec.json.decode(written)["event"] == "message.told"
    assert ran.stdout == "logged\n"


@settings(max_examples=50)
@given(st.text(), st.text())
def test_nothing_steers_the_terminal_that_shows_it(title: str, text: str) -> None:
    told = message(title=title, alerts=[alert(name=title, annotations={"summary": text})], findings=[text])
    made = line(told)
    for name in ("headline", "text"):
        assert not set(str(made[name])) & {"\x1b", "\x9b", "\r", "\x00", "\u202e"}


def test_a_level_that_is_none_is_refused_with_the_config() -> None:
    with pytest.raises(ValidationError, match="level"):
        Config.model_validate({"level": "loud"})
