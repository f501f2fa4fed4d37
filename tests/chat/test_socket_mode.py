"""Socket Mode against a real WebSocket server on this machine: what is sent is done and acknowledged, and a
connection that ends is opened again."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import pytest
from django.db import DatabaseError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.chat.workspace import Workspace, until
from tests.fakes.slack import APP_TOKEN
from tests.processes import Tocsin
from tocsin.alerts.models import AlertHistory, Incident
from tocsin.chat import desk, socket_mode
from tocsin.chat.socket_mode import SocketMode
from tocsin.core.errors import Forbidden
from tocsin.notify.drivers.slack.card import ACKNOWLEDGE, MORE

Say = Callable[[str], None]
_names = itertools.count(1)


class Wire:
    """Slack's end: ``connections`` that were opened, ``acknowledged`` envelopes by id. ``say`` sends a frame
    by the newest connection."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[ServerConnection] = []
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/link/?ticket=x&app_id=A1"

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        async with serve(self._talk, "127.0.0.1", 0) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self.loop = asyncio.get_running_loop()
            ready.set()
            await end.wait()

    async def _talk(self, connection: ServerConnection) -> None:
        await connection.send('{"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}')
        self.connections.append(connection)
        with suppress(ConnectionClosed):
            async for frame in connection:
                told = msgspec.json.decode(frame)
                self.acknowledged[told["envelope_id"]] = told

    def say(self, frame: str) -> None:
        asyncio.run_coroutine_threadsafe(self.connections[-1].send(frame), self.loop).result(5)

    def send(self, kind: str, payload: dict[str, Any], envelope: str = "") -> str:
        """An envelope; its id."""
        name = envelope or f"e{next(_names)}"
        told = {"envelope_id": name, "type": kind, "payload": payload, "accepts_response_payload": True}
        self.say(msgspec.json.encode(told).decode())
        return name

    def drop(self) -> None:
        """Cut the newest connection without a word."""
        self.loop.call_soon_threadsafe(self.connections[-1].transport.abort)

    def answer(self, name: str) -> dict[str, Any]:
        """How an envelope was acknowledged."""
        until(lambda: name in self.acknowledged)
        return self.acknowledged[name]


@contextmanager
def running(work: Callable[[threading.Event, asyncio.Event], Any]) -> Iterator[None]:
    """A coroutine on a loop in a thread of its own, until the end; it is ready once it says so."""
    ready, loops = threading.Event(), []

    async def main() -> None:
        end = asyncio.Event()
        loops.append((asyncio.get_running_loop(), end))
        await work(ready, end)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop, end = loops[0]
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def wire(workspace: Workspace) -> Iterator[Wire]:
    here = Wire()
    with running(here.serve):
        workspace.slack.socket_url = here.url
        yield here


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_mode, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(socket_mode, "LONGEST_WAIT", 0.05)


async def talk(api: str, ready: threading.Event, end: asyncio.Event) -> None:
    task = asyncio.create_task(SocketMode(APP_TOKEN, api).run())
    ready.set()
    await end.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def talking(workspace: Workspace, wire: Wire) -> Iterator[None]:
    """Tocsin's end is connected."""
    with running(lambda ready, end: talk(workspace.slack.api, ready, end)):
        until(lambda: wire.connections)
        yield


@pytest.fixture
def incident(workspace: Workspace) -> Incident:
    workspace.member("anna")
    workspace.world.fire()
    workspace.world.work()
    return Incident.objects.get()


def test_a_press_is_done_and_acknowledged(
    workspace: Workspace, incident: Incident, wire: Wire, talking: None
) -> None:
    name = wire.send("interactive", workspace.pressed(ACKNOWLEDGE, str(incident.pk)))
    assert wire.answer(name) == {"envelope_id": name}
    assert Incident.objects.get().acknowledged_by == "anna", "it was on disk before that"
    assert workspace.said() == [f"You are on incident #{incident.pk} now"]


def test_a_press_that_comes_again_does_nothing_twice(
    workspace: Workspace, incident: Incident, wire: Wire, talking: None
) -> None:
    press = workspace.pressed(MORE, f"{incident.pk}:assign")
    for name in [wire.send("interactive", press) for _ in range(3)]:
        wire.answer(name)
    assert AlertHistory.objects.filter(kind="assigned").count() == 1
    assert len(workspace.said()) == 1


def test_commands_forms_and_events(
    workspace: Workspace, incident: Incident, wire: Wire, talking: None
) -> None:
    given = {
        "user_id": "anna",
        "team_id": "T0001",
        "text": "alerts",
        "response_url": workspace.slack.response_url,
    }
    wire.answer(wire.send("slash_commands", given))
    assert "HighCPU" in workspace.said()[0]
    refused = wire.answer(wire.send("slash_commands", {**given, "user_id": "eve", "text": "logs"}))
    assert refused["payload"]["response_type"] == "ephemeral"
    view = {"id": "V1", "callback_id": "tocsin_note", "private_metadata": "x"}
    form = {"type": "view_submission", "user": {"id": "anna", "team_id": "T0001"}, "view": view}
    assert wire.answer(wire.send("interactive", form))["payload"]["response_action"] == "errors"
    assert "payload" not in wire.answer(wire.send("events_api", {"type": "event_callback"}))


@pytest.mark.parametrize("kind", ["interactive", "slash_commands", "events_api", "nonsense"])
def test_what_makes_no_sense_is_acknowledged(kind: str, wire: Wire, talking: None) -> None:
    for frame in ("", "[]", "x", '{"type": 1}', '{"type": "interactive", "payload": "x"}'):
        wire.say(frame)
    assert wire.answer(wire.send(kind, {"type": 5, "user": []}))
    assert len(wire.connections) == 1


def test_slack_asks_for_another_connection(
    workspace: Workspace, incident: Incident, wire: Wire, talking: None
) -> None:
    for count, reason in enumerate(("warning", "refresh_requested"), start=2):
        wire.say(msgspec.json.encode({"type": "disconnect", "reason": reason}).decode())
        until(lambda count=count: len(wire.connections) == count)
    name = wire.send("interactive", workspace.pressed(ACKNOWLEDGE, str(incident.pk)))
    assert wire.answer(name)


def test_what_is_under_way_is_acknowledged_before_the_connection_ends(
    workspace: Workspace, incident: Incident, wire: Wire, talking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, real = threading.Event(), threading.Event(), desk.interaction

    def slowly(*given: Any) -> Any:
        begun.set()
        assert go_on.wait(10)
        return real(*given)

    monkeypatch.setattr(desk, "interaction", slowly)
    name = wire.send("interactive", workspace.pressed(ACKNOWLEDGE, str(incident.pk)))
    assert begun.wait(10)
    wire.say('{"type": "disconnect", "reason": "refresh_requested"}')
    go_on.set()
    assert wire.answer(name)
    until(lambda: len(wire.connections) == 2)


def test_a_connection_that_is_cut_is_opened_again(
    workspace: Workspace, incident: Incident, wire: Wire, talking: None
) -> None:
    for count in (2, 3):
        wire.drop()
        until(lambda count=count: len(wire.connections) == count)
    assert wire.answer(wire.send("interactive", workspace.pressed(ACKNOWLEDGE, str(incident.pk))))


def test_what_the_database_could_not_take_is_not_acknowledged(
    workspace: Workspace, incident: Incident, wire: Wire, talking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = desk.interaction, threading.Event()

    def failing(*given: Any) -> Any:
        if failed.is_set():
            return real(*given)
        failed.set()
        raise DatabaseError("disk full")

    monkeypatch.setattr(desk, "interaction", failing)
    press = workspace.pressed(ACKNOWLEDGE, str(incident.pk))
    first = wire.send("interactive", press)
    assert failed.wait(10)
    second = wire.send("interactive", press, first + "-again")
    assert wire.answer(second) and first not in wire.acknowledged
    assert Incident.objects.get().status == "acknowledged"


def test_slack_is_asked_again_where_it_refuses(workspace: Workspace, wire: Wire) -> None:
    with running(lambda ready, end: talk(workspace.slack.api, ready, end)):
        until(lambda: wire.connections)
        for url in ("", "http://127.0.0.1/", "ws://", "ws://[::1", "ws://127.0.0.1:1/"):
            workspace.slack.socket_url = url
            asked = workspace.slack.calls.count("apps.connections.open")
            wire.drop()
            until(lambda asked=asked: workspace.slack.calls.count("apps.connections.open") > asked + 1)
            workspace.slack.socket_url, count = wire.url, len(wire.connections)
            until(lambda count=count: len(wire.connections) > count)


def test_an_address_inside_is_not_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    for url in ("ws://127.0.0.1:1/", "wss://169.254.169.254/", "wss://localhost/"):
        with pytest.raises(Forbidden):
            asyncio.run(socket_mode._dial(url))


@pytest.mark.django_db(transaction=True)
def test_tocsin_up_talks_to_slack(workspace: Workspace, wire: Wire) -> None:
    """The process that ``tocsin up`` starts is killed and comes back."""
    with Tocsin(SLACK_APP_TOKEN=APP_TOKEN, SLACK_API_URL=workspace.slack.api) as tocsin:
        tocsin.wait(lambda: len(wire.connections) == 1, "a connection")
        given = {"user_id": "anna", "text": "alerts", "response_url": workspace.slack.response_url}
        assert wire.answer(wire.send("slash_commands", given))
        assert "Nothing fires" in workspace.said()[0]
        tocsin.kill("chat")
        tocsin.wait(lambda: len(wire.connections) == 2, "another connection")
        assert tocsin.stop() < 6
