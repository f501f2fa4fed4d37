"""The clock, against time servers whose own is off, and by the programs that keep it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.checkers.looking import look, program
from tests.fakes.ntp import TimeServer, time_server, timestamp
from tocsin.checkers import outside
from tocsin.checkers.checks.clock import read
from tocsin.checkers.running import build

TRACKING = """\
Reference ID    : CB00710F (203.0.113.15)
Stratum         : 3
Ref time (UTC)  : Sat Nov 21 12:00:00 2026
System time     : {off} of NTP time
Last offset     : -0.000002093 seconds
RMS offset      : 0.000030000 seconds
Frequency       : 2.000 ppm slow
Leap status     : {leap}
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serve(stack: ExitStack, *ahead: float, **how: object) -> list[TimeServer]:
    return [stack.enter_context(time_server(ahead=by, **how)) for by in ahead]


@pytest.mark.parametrize(
    ("ahead", "status", "message"),
    [
        (0, "ok", "the clock is 0.0"),
        (2, "warning", " s behind"),
        (-2, "warning", " s ahead"),
        (60, "critical", " s behind"),
        (-86_400 * 365 * 9, "critical", " s ahead"),
        (86_400 * 365 * 12, "critical", " s behind"),  # beyond 2036, in NTP's next era
    ],
)
def test_a_clock_that_is_off(ahead: float, status: str, message: str, stack: ExitStack) -> None:
    [server] = serve(stack, ahead)
    found = look("clock", servers=[server.address])
    assert found.status == status
    assert message in found.message
    assert found.metrics["offset_seconds"] == pytest.approx(-ahead, abs=0.4)
    assert found.metrics["servers"] == 1
    assert 0 <= found.metrics[f"delay_seconds[{server.address}]"] < 8


def test_it_asks_as_a_client_does_and_says_nothing_of_itself(stack: ExitStack) -> None:
    [server] = serve(stack, 0)
    for _ in range(2):
        look("clock", servers=[server.address])
    first, second = server.requests
    for request in (first, second):
        assert len(request) == 48
        assert request[0] == 4 << 3 | 3
        assert request[1:40] == bytes(39)
    assert first[40:] != second[40:]


def test_the_median_of_several_counts(stack: ExitStack) -> None:
    servers = serve(stack, 0, 0.01, 3_600)
    found = look("clock", servers=[server.address for server in servers])
    assert found.status == "ok"
    assert found.metrics[f"offset_seconds[{servers[2].address}]"] == pytest.approx(-3_600, abs=0.4)


def test_the_time_a_server_holds_a_question_is_not_the_ways(stack: ExitStack) -> None:
    [server] = serve(stack, 0, held=30)
    found = look("clock", servers=[server.address])
    assert found.metrics["offset_seconds"] == pytest.approx(15, abs=0.4)
    assert found.metrics[f"delay_seconds[{server.address}]"] == 0


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"stratum": 0, "refid": b"RATE"}, "refuses: RATE"),
        ({"stratum": 16}, "does not know the time itself"),
        ({"leap": 3}, "does not know the time itself"),
        ({"mode": 3}, "does not know the time itself"),
    ],
)
def test_answers_that_are_not_to_be_used(how: dict[str, object], why: str, stack: ExitStack) -> None:
    [good] = serve(stack, 0)
    [bad] = serve(stack, 3_600, **how)
    found = look("clock", servers=[bad.address, good.address])
    assert (found.status, found.metrics["servers"]) == ("ok", 1)
    assert found.message.endswith(f"{bad.address} {why}")
    assert look("clock", servers=[bad.address]).status == "unknown"


def test_somebody_elses_answer_is_not_taken(stack: ExitStack) -> None:
    [server] = serve(stack, 0, forged=True)
    assert look("clock", servers=[server.address]).status == "ok"
    server.answers = False
    found = look("clock", servers=[server.address], timeout=0.3)
    assert (found.status, "did not answer in time" in found.message) == ("unknown", True)


def test_a_server_that_is_not_there(stack: ExitStack) -> None:
    with time_server() as gone:
        pass
    found = look("clock", servers=[gone.address], timeout=2)
    assert found.status == "unknown"
    assert "Connection refused" in found.message


def test_only_who_is_trusted_asks_what_is_not_public(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    [server] = serve(stack, 0)
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    assert look("clock", servers=[server.address]).status == "ok"
    found = build("clock", {"servers": [server.address]}).check()
    assert (found.status, "TOCSIN_OUTBOUND_ALLOW" in found.message) == ("unknown", True)
    assert len(server.requests) == 1


def test_an_offset_is_the_mean_of_both_ways() -> None:
    sent_at, took = time.time(), 0.2
    reply = bytearray(48)
    reply[0], reply[1] = 4 << 3 | 4, 1
    reply[32:40], reply[40:48] = timestamp(sent_at + 10.05), timestamp(sent_at + 10.15)
    answer = read("here", bytes(reply), int.from_bytes(timestamp(sent_at), "big"), took)
    assert answer.ahead_seconds == pytest.approx(-10, abs=1e-6)
    assert answer.delay_seconds == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize(
    ("off", "leap", "status", "message"),
    [
        ("0.000020390 seconds slow", "Normal", "ok", "the clock is 0.000 s behind"),
        ("7.250000000 seconds fast", "Normal", "critical", "the clock is 7.250 s ahead"),
        ("0.000000000 seconds fast", "Not synchronised", "warning", "chrony has no time server"),
    ],
)
def test_chrony_says_how_far(
    off: str, leap: str, status: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "chronyc", f"cat <<'END'\n{TRACKING.format(off=off, leap=leap)}END")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = look("clock")
    assert (found.status, found.message) == (status, message)


@pytest.mark.parametrize(("said", "status"), [("yes", "ok"), ("no", "warning")])
def test_timedatectl_says_whether_it_is_kept_right(
    said: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_chrony: None
) -> None:
    program(tmp_path, "timedatectl", f"echo Timezone=Etc/UTC; echo NTPSynchronized={said}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert look("clock").status == status


@pytest.fixture
def no_chrony() -> None:
    if outside.program("chronyc"):
        pytest.skip("chrony keeps this machine's clock")
