"""Commands that the hub asks for: fetched, run one at a time and at most once, and their end told.

A command is in the ledger before it is begun, so that an agent that is killed midway never runs it again.
"""

import random
import shlex
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from tocsin.agent.executing import Ended, execute
from tocsin.agent.hub import Hub, Refused
from tocsin.agent.ledger import Ledger
from tocsin.agent.sending import Patience
from tocsin.agent.spool import Say
from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.ids import new_id

if TYPE_CHECKING:
    from tocsin.agent.allowed import Allowed

EVERY: Final = 5.0
SHORTEST: Final = 0.2
LONGEST: Final = 300.0


class _Offer(msgspec.Struct):
    name: str
    description: str
    arguments: Mapping[str, str]


class _Post(msgspec.Struct):
    agent: str
    allowed: list[_Offer]
    results: list[dict[str, Any]]


class Order(msgspec.Struct):
    """A command as the hub asks for it; nobody waits for it after ``seconds``."""

    id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]  # it becomes a file's name
    name: str
    arguments: dict[str, str]
    seconds: float
    trace_id: str = ""


class _Answer(msgspec.Struct):
    commands: list[Order]
    again_in: float = EVERY


_decode: Final = msgspec.json.Decoder(_Answer).decode


class Orders:
    """Asks the hub until it is told to stop."""

    def __init__(
        self, hub: Hub, allowed: "Mapping[str, Allowed]", ledger: Ledger, say: Say, detail: Say
    ) -> None:
        self._hub, self._allowed, self._ledger = hub, allowed, ledger
        self._say, self._detail = say, detail
        # Which program it is, is nobody's business there.
        self._offers = [_Offer(one.name, one.description, one.patterns) for one in allowed.values()]
        # The hub gives a command again, where its answer was lost, to this very process alone.
        self._id = new_id()
        self._stopping = threading.Event()
        self._refused = ""

    def run(self, stopping: threading.Event) -> None:
        """Ask again and again, at once where there was something to do."""
        self._stopping = stopping
        patience = Patience()
        stopping.wait(random.uniform(0, EVERY))
        while not stopping.is_set():
            try:
                pause = self.turn()
            except (Unavailable, Refused) as error:
                self._tell(error)
                stopping.wait(patience.after(error))
            else:
                self._refused = ""
                patience.reset()
                stopping.wait(pause)

    def turn(self) -> float:
        """Tell of one end, ask once, and do what is asked; return the seconds until the next time. Raises
        Unavailable, Refused."""
        waiting = next(iter(self._ledger.waiting.items()), None)
        asked_at = time.monotonic()
        answer = self._ask(waiting)
        if waiting is not None:
            self._ledger.told(waiting[0])
        did = [self._obey(order, asked_at) for order in answer.commands]
        if any(did) or (waiting is not None and self._ledger.waiting):
            return 0.0
        return min(LONGEST, max(SHORTEST, answer.again_in)) * random.uniform(0.8, 1.2)

    def _ask(self, waiting: tuple[str, Ended] | None) -> _Answer:
        results = [{"id": waiting[0], **msgspec.structs.asdict(waiting[1])}] if waiting else []
        document = msgspec.json.encode(_Post(self._id, self._offers, results))
        try:
            return _decode(self._hub.ask(document, clock.now()))
        except msgspec.DecodeError as error:
            raise Unavailable(f"its answer cannot be read: {error}") from error

    def _obey(self, order: Order, asked_at: float) -> bool:
        """Do what is asked, unless that was done; say whether it was not."""
        if self._ledger.knows(order.id):
            self._ledger.again(order.id)
            return False
        ended = self._done(order, asked_at)
        self._say(f"command {order.name} ended: {_told(ended)} ({_who(order)})")
        self._ledger.end(order.id, order.name, ended)
        return True

    def _done(self, order: Order, asked_at: float) -> Ended:
        allowed = self._allowed.get(order.name)
        if allowed is None:
            return Ended("refused", f"{order.name[:64]!r} is not allowed here")
        try:
            line = allowed.line(order.arguments)
        except Rejected as error:
            return Ended("refused", str(error))
        if time.monotonic() - asked_at >= order.seconds:
            return Ended("expired", "it came too late")
        try:
            self._ledger.begin(order.id, order.name)
        except OSError as error:
            return Ended("refused", f"it cannot be put down that it is begun: {error.strerror}")
        self._say(f"command {order.name} begins: {shlex.join(line)} ({_who(order)})")
        return execute(line, allowed.timeout, self._stopping.is_set)

    def _tell(self, error: Unavailable | Refused) -> None:
        """That the hub is away the one who sends says."""
        self._detail(f"no commands can be asked for: {error}")
        if isinstance(error, Refused) and str(error) != self._refused:
            self._say(f"the hub gives no commands: {error}")
            self._refused = str(error)


def _told(ended: Ended) -> str:
    if ended.state == "done":
        return f"exit code {ended.exit_code} after {ended.took_seconds:g} s"
    return f"{ended.state}: {ended.reason}"


def _who(order: Order) -> str:
    return f"{order.id}, trace {order.trace_id or 'unknown'}"
