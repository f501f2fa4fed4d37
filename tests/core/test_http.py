"""The client for delivery, against real sockets that behave and misbehave."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.fakes.receiver import Answer, Receiver
from tests.fakes.wire import Wire, wire
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import MAX_ANSWER, MAX_RETRY_AFTER, Client, Response

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    made.close()
    await asyncio.sleep(0)  # for its connections to see that they are over


async def _answer(client: Client, said: bytes, timeout: float = 5) -> Response:
    """What the client makes of an answer, after which the server closes."""

    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await here.read(reader)
        writer.write(said)

    async with wire(talk) as server:
        return await client.post(server.url, b"{}", {}, timeout)


async def test_a_request_and_its_answer(client: Client, receiver: Receiver) -> None:
    receiver.default = Answer(201, "größer".encode(), {"X-Id": "7"})
    response = await client.post(f"{receiver.url}?a=b%20c", b"body", {"X-Name": "value"})
    assert (response.status, response.text(), response.headers["x-id"]) == (201, "größer", "7")
    [request] = receiver.received
    assert (request.path, request.body, request.headers["x-name"]) == ("/hook?a=b%20c", b"body", "value")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_getting(client: Client, receiver: Receiver) -> None:
    answer = await client.get(f"{receiver.url}?a=b", {"Accept": "text/plain"})
    assert answer.status == 200
    assert receiver.received[0].method == "GET"


async def test_connections_are_kept_and_used_again(client: Client) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await here.read(reader):
            writer.write(OK)

    async with wire(talk) as server:
        for _ in range(5):
            assert (await client.post(server.url, b"x", {})).body == b"ok"
        assert (server.connections, len(server.requests)) == (1, 5)
        client.close()


async def test_a_receiver_that_closes_idle_connections_gets_every_message_once(client: Client) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await here.read(reader)
        writer.write(OK)  # and closes, without having said so

    async with wire(talk) as server:
        for number in range(5):
            assert (await client.post(server.url, b"%d" % number, {})).status == 200
        assert [request[-1:] for request in server.requests] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_connection_that_will_close_is_not_used_again(client: Client) -> None:
    for _ in range(2):
        said = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        assert (await _answer(client, said)).body == b"ok"


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,
    ],
    ids=["1.0, ends by closing", "1.1, ends by closing", "chunked", "100", "103"],
)
async def test_every_lawful_way_to_answer_is_understood(client: Client, said: bytes) -> None:
    response = await _answer(client, said)
    assert (response.status, response.body) == (200, b"ok")


async def test_an_answer_without_a_body_is_one(client: Client) -> None:
    assert (await _answer(client, b"HTTP/1.1 204 No Content\r\n\r\n")).status == 204


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0\1\2 no http at all\r\n\r\n",
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["nothing", "noise", "cut", "short body", "cut chunk", "bad length", "upgrade", "ssh"],
)
async def test_what_is_no_answer_may_be_one_later(client: Client, said: bytes) -> None:
    with pytest.raises(Unavailable):
        await _answer(client, said, timeout=1)


async def test_a_reset_is_no_answer(client: Client) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await here.read(reader)
        writer.transport.abort()

    async with wire(talk) as server:
        with pytest.raises(Unavailable):
            await client.post(server.url, b"x", {})


async def test_a_silent_receiver_is_left_when_its_time_is_up(client: Client) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await reader.read()

    async with wire(talk) as server:
        with pytest.raises(Unavailable, match="did not answer within 0.1 s"):
            await client.post(server.url, b"x", {}, 0.1)


async def test_a_slow_drip_does_not_stretch_the_time(client: Client) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await here.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await asyncio.sleep(0.01)

    async with wire(talk) as server:
        with pytest.raises(Unavailable, match="did not answer within 0.2 s"):
            await client.post(server.url, b"x", {}, 0.2)


@pytest.mark.parametrize("framing", [b"Content-Length: 99999999\r\n\r\n", b"\r\n"], ids=["length", "closing"])
async def test_of_a_huge_body_the_beginning_is_kept(client: Client, framing: bytes) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await here.read(reader)
        writer.write(b"HTTP/1.1 500 Oops\r\n" + framing)
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    async with wire(talk) as server:
        response = await client.post(server.url, b"x", {})
    assert (response.status, len(response.body), len(response.text())) == (500, MAX_ANSWER, 300)


async def test_headers_without_end_are_cut_off(client: Client) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await here.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
            await writer.drain()

    async with wire(talk) as server:
        with pytest.raises(Unavailable, match="headers do not end"):
            await client.post(server.url, b"x", {})


async def test_an_answer_nobody_asked_for_is_not_taken_for_the_next(client: Client) -> None:
    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await here.read(reader):
            writer.write(OK + b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n")

    async with wire(talk) as server:
        for _ in range(3):
            assert (await client.post(server.url, b"x", {})).status == 200
        client.close()


async def test_redirects_are_not_followed(client: Client, receiver: Receiver) -> None:
    receiver.default = Answer(302, b"", {"Location": receiver.url})
    assert (await client.post(receiver.url, b"x", {})).status == 302
    assert len(receiver.received) == 1


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\r"])
async def test_a_header_with_a_line_break_is_refused(client: Client, receiver: Receiver, value: str) -> None:
    with pytest.raises(Rejected, match="line break"):
        await client.post(receiver.url, b"x", {"X-Name": value})
    assert receiver.received == []


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://x/", "file:///etc/passwd", "http://", "http://:80/", "http://x:99999/", "http://x:y/",
        "http://[::1/", "http://x/a b", "http://x/\r\nX-Evil:1", "http://x/ü", "http://x y/", "gopher://x/",
    ],
)  # fmt: skip
async def test_what_is_no_url_is_refused(client: Client, url: str) -> None:
    with pytest.raises(Rejected):
        await client.post(url, b"", {})


async def test_bad_tls_is_told(client: Client, receiver: Receiver) -> None:
    with pytest.raises(Unavailable, match="cannot connect"):
        await client.post(f"https://127.0.0.1:{receiver.port}/", b"", {})


async def test_a_port_nobody_listens_on_may_be_open_later(client: Client, unused_tcp_port: int) -> None:
    with pytest.raises(Unavailable, match="cannot connect"):
        await client.post(f"http://127.0.0.1:{unused_tcp_port}/", b"", {})


async def test_a_name_with_several_addresses_is_reached_at_the_one_that_listens(receiver: Receiver) -> None:
    response = await Client().post(f"http://localhost:{receiver.port}/", b"", {"Connection": "close"})
    assert response.status == 200


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("0", 0), ("30", 30), (" 30 ", 30), ("999999", MAX_RETRY_AFTER), ("9" * 500, MAX_RETRY_AFTER)],
)
def test_retry_after_in_seconds_is_capped(said: str, seconds: float) -> None:
    assert Response(429, {"retry-after": said}).retry_after() == seconds


@pytest.mark.parametrize("said", ["", "soon", "-5", "1.5", "1e9", "Mon, 99 Foo 2026 25:00:00 GMT", "0"[:0]])
def test_retry_after_that_says_nothing(said: str) -> None:
    assert Response(429, {"retry-after": said}).retry_after() is None


def test_retry_after_as_a_date() -> None:
    now = datetime.now(UTC)
    ahead = Response(503, {"retry-after": format_datetime(now + timedelta(seconds=90), usegmt=True)})
    assert 80 < (ahead.retry_after() or 0) <= 90
    past = Response(503, {"retry-after": format_datetime(now - timedelta(days=1), usegmt=True)})
    assert past.retry_after() == 0


@pytest.mark.parametrize(
    ("header", "own", "seconds"),
    [("", None, None), ("", 7, 7), ("", 1e9, MAX_RETRY_AFTER), ("", -5, 0), ("30", 7, 30)],
)
def test_what_a_receiver_asks_for_in_words_of_its_own(
    header: str, own: float | None, seconds: float | None
) -> None:
    with pytest.raises(Unavailable) as caught:
        Response(429, {"retry-after": header}).require_success(own)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"<html>", b"\xff", b"null", b"[" * 100_000])
def test_an_answer_that_is_no_object_is_an_empty_one(body: bytes) -> None:
    assert Response(200, {}, body).json() == {}
    assert Response(200, {}, b'{"ok": true}').json() == {"ok": True}
