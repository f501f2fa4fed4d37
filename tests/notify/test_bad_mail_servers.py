"""Mail, against servers that misbehave at each step: each try ends in time, as Unavailable or Rejected, and a
mail that was taken is not sent again."""

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.fakes import bad
from tests.fakes.tls import certificate
from tests.fakes.wire import Wire, wire
from tests.notify.messages import message
from tocsin.core.errors import Rejected, TocsinError, Unavailable, Unclear
from tocsin.core.http import Client
from tocsin.notify.discreet import Discreet
from tocsin.notify.drivers.email import Driver
from tocsin.notify.drivers.email.config import Config

PASSWORD: Final = "correct-horse-battery"
STEPS: Final = ("CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "END")
Deed = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


def _server(
    step: str, deed: Deed, taken: list[bytes], greeting: bytes = b"250-x\r\n250 AUTH PLAIN"
) -> bad.Talk:
    """A mail server that does as it should until a step."""
    usual = {"CONNECT": b"220 x", "EHLO": greeting, "AUTH": b"235 in", "DATA": b"354 go on"}

    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = "CONNECT"
        while True:
            if verb == step:
                await deed(reader, writer)
            else:
                writer.write(usual.get(verb, b"250 ok") + b"\r\n")
            if verb == "DATA":
                taken.append(await reader.readuntil(b"\r\n.\r\n"))
                verb = "END"
            else:
                line = await reader.readline()
                if not line:
                    return
                verb = line.split()[0].decode().upper()

    return talk


def _says(said: bytes) -> Deed:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said + b"\r\n")

    return say


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    bad.hang_up(writer)
    await reader.read()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"2")
        await asyncio.sleep(0.01)


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"220-and more\r\n" * 100)
        await writer.drain()


async def _send(port: int, **given: Any) -> tuple[TocsinError | None, str]:
    """What was wrong, and the words that are kept of it."""
    mail = {"sender": "tocsin@example.com", "to": "ops@example.com", "username": "ops", "password": PASSWORD}
    server = {"smtp_host": "127.0.0.1", "smtp_port": port, "security": "none"}
    driver = Driver(Config.model_validate({**mail, **server, **given}))
    try:
        await driver.send(message(), Client())
    except TocsinError as error:
        said = Discreet(driver.config).told(str(error))
        assert said.isprintable() and len(said) <= 1_000
        secrets = [PASSWORD, base64.b64encode(f"\0ops\0{PASSWORD}".encode()).decode()]
        assert [secret for secret in secrets if secret in said] == []
        return error, said
    return None, ""


async def _try(step: str, deed: Deed, **given: Any) -> tuple[TocsinError | None, list[bytes]]:
    taken = list[bytes]()
    async with wire(_server(step, deed, taken)) as server:
        return (await _send(server.port, **given))[0], taken


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Driver, "timeout", 0.3)


@pytest.mark.parametrize("deed", [_hang, _drip], ids=["hang", "drip"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.usefixtures("hasty")
async def test_who_hangs_is_left(step: str, deed: Deed) -> None:
    error, _ = await _try(step, deed)
    assert type(error) is (Unclear if step == "END" else Unavailable)


@pytest.mark.parametrize("step", STEPS)
async def test_a_reset_passes(step: str) -> None:
    error, _ = await _try(step, _reset)
    assert type(error) is (Unclear if step == "END" else Unavailable)


@pytest.mark.parametrize("step", STEPS)
async def test_an_answer_without_end_is_not_heard_out(step: str) -> None:
    error, _ = await _try(step, _endless)
    assert isinstance(error, Unavailable)
    assert "does not end" in str(error)


@pytest.mark.parametrize("said", [b"\0\xff\x1b[2J", b"", b"HTTP/1.1 200 OK", b"2", b"99999 x"])
@pytest.mark.parametrize("step", ["CONNECT", "MAIL", "DATA", "END"])
async def test_an_answer_that_is_none_passes(step: str, said: bytes) -> None:
    error, _ = await _try(step, _says(said))
    assert isinstance(error, Unavailable)


@pytest.mark.parametrize("step", [step for step in STEPS if step != "EHLO"])
async def test_a_refusal_is_final_and_trouble_is_not(step: str) -> None:
    sent = base64.b64encode(f"\0ops\0{PASSWORD}".encode())
    error, _ = await _try(step, _says(b"451 4.3.0 later: AUTH PLAIN " + sent))
    assert type(error) is Unavailable
    error, _ = await _try(step, _says(b"554 5.7.1 never: " + PASSWORD.encode()))
    assert type(error) is Rejected


@pytest.mark.parametrize("deed", [_hang, _drip, _reset, _endless, _says(b"421 no"), _says(b"500 what?")])
@pytest.mark.usefixtures("hasty")
async def test_what_was_taken_is_sent_once_however_the_goodbye_is(deed: Deed) -> None:
    error, taken = await _try("QUIT", deed)
    assert error is None
    assert len(taken) == 1


async def test_a_challenge_that_is_none_passes() -> None:
    taken = list[bytes]()
    talk = _server("AUTH", _says(b"334 !!!!!"), taken, b"250-x\r\n250 AUTH CRAM-MD5")
    async with wire(talk) as server:
        error, _ = await _send(server.port)
    assert isinstance(error, Unavailable | Rejected)
    assert taken == []


@pytest.mark.usefixtures("hasty")
async def test_those_who_hang_leave_no_thread_behind() -> None:
    async with wire(_server("EHLO", _drip, [])) as server:
        config = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "security": "none"}
        mail = {"sender": "tocsin@example.com", "to": "ops@example.com"}
        driver = Driver(Config.model_validate(config | mail))
        for _ in range(driver.concurrency + 1):
            with pytest.raises(Unavailable):
                await driver.send(message(), Client())
        assert server.connections == driver.concurrency + 1
        async with asyncio.timeout(10):
            await asyncio.to_thread(driver._threads.shutdown)


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 go\r\n")
        await writer.drain()
        try:
            await writer.start_tls(context)
        except (ssl.SSLError, OSError):
            writer.transport.abort()
            raise ConnectionError from None

    taken = list[bytes]()
    async with wire(_server("STARTTLS", upgrade, taken, b"250-x\r\n250 STARTTLS")) as server:
        error, said = await _send(server.port, security="starttls", username="")
    assert type(error) is Unavailable
    assert "certificate verify failed" in said
    assert taken == []
