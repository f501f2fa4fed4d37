"""A shard in the simulation: web processes, one journal, workers of which one at a time decides, a database.

Each step takes what ``bench/costs.json`` says it takes of the process that does it and of the database. What
is not there are pages, people and the network.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from bench.model import Host, Lags, Lock, Process, Queue, Simulation, Some, Then, count

ALL: Final = 10**9
# The program's own; a test compares them.
ALERTS_PER_COMMIT: Final = 2_000
MOST_ENTRIES, RUNS_PER_TURN, SWEEP_SECONDS = 400, 200, 0.25
ROOM_PER_SENDER: Final = 64
RUN_LEASE, DELIVERY_LEASE = 30.0, 60.0
REPEAT_AFTER: Final = (2.0, 8.0)  # seconds; what got a 503 comes again, as from Alertmanager
POSTS_AT_ONCE: Final = 64  # that an event loop reads before it hands them over


@dataclass(frozen=True)
class Cost:
    """What a batch takes: so much at all, and so much for each."""

    fixed: float = 0.0
    each: float = 0.0

    def __call__(self, size: int) -> float:
        return self.fixed + self.each * size if size else 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.fixed + other.fixed, self.each + other.each)

    def __mul__(self, part: float) -> "Cost":
        return Cost(self.fixed * part, self.each * part)


@dataclass(frozen=True)
class Spent:
    """Processor time of a step: in the process that does it, and in the database."""

    here: Cost = Cost()
    there: Cost = Cost()

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.here + other.here, self.there + other.there)

    def __mul__(self, part: float) -> "Spent":
        return Spent(self.here * part, self.there * part)


@dataclass(frozen=True)
class Costs:
    """Of every step."""

    post: float  # of reading a post at all
    read: float  # of reading each alert in it
    commit: Spent
    repeat: Spent
    note: Spent
    decide: Spent
    walk: Spent
    send: Cost
    finish: Spent
    claim: Spent
    disk: float  # seconds that a commit waits for the disk


def costs(found: dict[str, Any], ends: float = 0.5) -> Costs:
    """From what was measured; of the changes so many are ends."""

    def step(name: str) -> Spent:
        return Spent(_cost(found["parts"][name], "cpu_us"), _cost(found["parts"][name], "db_us"))

    single, batch = (found["posts"][kind]["loop_us"] / 1e6 for kind in ("single", "batch"))
    read = (batch - single) / 99
    batch_of = found["posts"]["batch"]  # groups of a web process under load are larger than those of 200
    new = Spent(
        Cost(step("commit, new").here.fixed, batch_of["writer_us"] / 100 / 1e6),
        Cost(step("commit, new").there.fixed, batch_of["db_us"] / 100 / 1e6),
    )
    decided = step("decision, new incident") * (1 - ends) + step("decision, end") * ends
    return Costs(
        post=single - read,
        read=read,
        commit=new * (1 - ends) + step("commit, end") * ends,
        repeat=step("commit, re-sent"),
        note=step("noting what was re-sent"),
        decide=decided + step("runs' start") + step("their commit"),
        walk=step("four stages and a delivery"),
        send=step("sending a webhook").here,
        finish=step("writing an outcome"),
        claim=step("a sweep that claims"),
        disk=found["parts"]["their commit"]["1"]["wait_ms"] / 1e3,
    )


def _cost(sizes: dict[str, dict[str, float]], what: str) -> Cost:
    """From what one takes alone, and each of 200."""
    alone, many = sizes["1"][what] / 1e6, sizes["200"][what] / 1e6
    each = max(0.0, (200 * many - alone) / 199)
    return Cost(max(0.0, alone - each), each)


@dataclass(frozen=True)
class Plant:
    """What a shard is made of."""

    webs: int = 1
    workers: int = 2
    queue: int = 50_000  # TOCSIN_INTAKE_QUEUE
    concurrency: int = 32  # of the channel
    receiver: float = 0.05  # seconds until it answers
    noted: float = 1 / 3  # of what is re-sent: it would soon expire, and so is written


@dataclass(frozen=True, slots=True)
class Posts:
    """Posts that came in one moment: their alerts that change something, and those that repeat."""

    born: float
    posts: int
    changes: int
    repeats: int

    @property
    def alerts(self) -> int:
        return self.changes + self.repeats


class Shard:
    """One installation."""

    def __init__(
        self, simulation: Simulation, costs: Costs, plant: Plant, app: Host, base: Host, random: Random
    ) -> None:
        self.simulation, self.costs, self.plant, self.base = simulation, costs, plant, base
        self._random = random
        self.journal, self.due, self.runs = (Queue(simulation) for _ in range(3))
        self.lock = Lock(simulation)
        self.stored, self.decided, self.told = Lags(), Lags(), Lags()
        self.offered = self.refused = self.changed = self.leased = 0
        self.webs = [Web(self, Process(app), Process(base)) for _ in range(plant.webs)]
        self.workers = [Worker(self, Process(app), Process(base)) for _ in range(plant.workers)]

    def offer(self, posts: Posts) -> None:
        """Take posts in, by the web process that has the fewest."""
        self.offered += posts.alerts
        min(self.webs, key=lambda web: web.waiting).take(posts)

    def refuse(self, posts: Posts) -> None:
        """503. What changed something is sent again; what repeats comes again anyway."""
        self.refused += posts.alerts
        again = Posts(posts.born, 1, posts.changes, 0)
        if again.changes:
            self.simulation.after(self._random.uniform(*REPEAT_AFTER), lambda: self.offer(again))

    def keep(self, group: Sequence[Posts]) -> None:
        """202: they are on disk."""
        now = self.simulation.now
        for posts in group:
            self.stored.add(now - posts.born, posts.alerts)
            self.changed += posts.changes
            self.journal.put([Some(posts.born, posts.changes)])
        self.ring()

    def ring(self) -> None:
        """Wake the workers."""
        for worker in self.workers:
            worker.wake()

    def fall_due(self, queue: Queue, some: Sequence[Some], seconds: float) -> None:
        """What a dead worker held is anybody's once its lease ends."""
        self.leased += count(some)

        def back() -> None:
            self.leased -= count(some)
            queue.put(some)
            self.ring()

        self.simulation.after(seconds, back)

    @property
    def waiting(self) -> int:
        """Changes that were stored, and that nobody has been told of."""
        queued = self.journal.length + self.due.length + self.runs.length + self.leased
        return queued + sum(worker.holding for worker in self.workers)


class Web:
    """A web process: its event loop reads, its committer writes."""

    def __init__(self, shard: Shard, process: Process, backend: Process) -> None:
        self._shard, self.process, self._backend = shard, process, backend
        self._arrived: deque[Posts] = deque()
        self._line: deque[Posts] = deque()
        self._reading = self._writing = False
        self.waiting = 0  # alerts, read or not

    def take(self, posts: Posts) -> None:
        """Have posts arrive."""
        self._arrived.append(posts)
        self.waiting += posts.alerts
        self._read()

    def _read(self) -> None:
        if self._reading or not self._arrived:
            return
        self._reading = True
        costs, group = self._shard.costs, _cut(self._arrived, POSTS_AT_ONCE, lambda posts: posts.posts)
        seconds = sum(costs.post * posts.posts + costs.read * posts.alerts for posts in group)
        self.process.work(seconds, lambda: self._was_read(group))

    def _was_read(self, group: list[Posts]) -> None:
        self._reading = False
        for posts in group:
            if sum(waiting.alerts for waiting in self._line) + posts.alerts > self._shard.plant.queue:
                self._refuse([posts])
            else:
                self._line.append(posts)
        self._write()
        self._read()

    def _refuse(self, group: Sequence[Posts]) -> None:
        for posts in group:
            self.waiting -= posts.alerts
            self._shard.refuse(posts)

    def _write(self) -> None:
        if self._writing or not self._line:
            return
        group = _cut(self._line, ALERTS_PER_COMMIT, lambda posts: posts.alerts)
        if not self._shard.base.up:
            self._refuse(group)
            self._write()
            return
        self._writing = True
        here, there, disk = self._takes(group)
        after = self._shard.simulation.after
        self.process.work(
            here, lambda: self._backend.work(there, lambda: after(disk, lambda: self._was_written(group)))
        )

    def _takes(self, group: Sequence[Posts]) -> tuple[float, float, float]:
        costs, plant = self._shard.costs, self._shard.plant
        changes, repeats = sum(p.changes for p in group), sum(p.repeats for p in group)
        noted = Spent(Cost(each=costs.note.here.each), Cost(each=costs.note.there.each)) * plant.noted
        spent = costs.repeat + noted if repeats else Spent()
        here = costs.commit.here(changes) + spent.here(repeats)
        there = costs.commit.there(changes) + spent.there(repeats)
        return here, there, costs.disk if changes else 0.0

    def _was_written(self, group: list[Posts]) -> None:
        self._writing = False
        self.waiting -= sum(posts.alerts for posts in group)
        self._shard.keep(group)
        self._write()


def _cut(line: deque[Posts], most: int, size: Callable[[Posts], int]) -> list[Posts]:
    """The first of a line, together no more than so many, but one at least."""
    group = [line.popleft()]
    total = size(group[0])
    while line and total + size(line[0]) <= most:
        group.append(line.popleft())
        total += size(group[-1])
    return group


class Worker:
    """A worker: turns on the database's thread, sending on the event loop."""

    def __init__(self, shard: Shard, process: Process, backend: Process) -> None:
        self._shard, self.process, self._backend = shard, process, backend
        self.outcomes, self.lane = Queue(shard.simulation), Queue(shard.simulation)
        self._entries: list[Some] = []  # being decided over
        self._walks: list[Some] = []
        self._flying: list[list[Some]] = []  # on their way to the receiver
        self._writing: list[Some] = []  # outcomes
        self._turning = self._sending = self._locked = False
        self._sweep_at = 0.0
        self.alive = True
        self.sending = 0.0  # of what the channel allows at once, for how long so much was on its way

    @property
    def holding(self) -> int:
        """How many changes it has in its hands."""
        flying = sum(map(count, self._flying))
        here = count(self._entries) + count(self._walks) + count(self._writing)
        return here + flying + self.lane.length + self.outcomes.length

    def wake(self) -> None:
        """Hear the bell."""
        if self.alive and not self._turning:
            self._turn()

    def die(self) -> None:
        """Be gone with the machine: what it held is due when its leases end, what it decided over at once."""
        self.alive = False
        self.process.die()
        shard = self._shard
        if self._locked:
            shard.lock.give()
        shard.journal.put(self._entries)
        shard.fall_due(shard.runs, self._walks, RUN_LEASE)
        sent = [some for group in self._flying for some in group] + self._writing
        sent += self.lane.take(ALL) + self.outcomes.take(ALL)
        shard.fall_due(shard.due, sent, DELIVERY_LEASE)
        self._entries, self._walks, self._flying, self._writing = [], [], [], []
        shard.ring()

    def _on_database(self, spent: Sequence[tuple[Spent, int]], then: Then) -> None:
        """Take a step: here, there, and to the disk."""
        here = sum(step.here(size) for step, size in spent)
        there = sum(step.there(size) for step, size in spent)
        shard = self._shard

        def ended() -> None:
            if self.alive:
                then()

        def committed() -> None:
            shard.simulation.after(shard.costs.disk, ended)

        self.process.work(here, lambda: self._backend.work(there, committed))

    def _turn(self) -> None:
        shard = self._shard
        self._turning = True
        if shard.journal.length:
            shard.lock.take(self._decide)
        elif self.outcomes.length:
            self._writing = self.outcomes.take(ALL)
            self._on_database([(shard.costs.finish, count(self._writing))], self._finished)
        else:
            self._sweep()

    def _decide(self) -> None:
        shard = self._shard
        if not self.alive:
            shard.lock.give()
            return
        self._locked = True
        self._writing = self.outcomes.take(ALL)
        self._entries = shard.journal.take(MOST_ENTRIES)
        steps = [(shard.costs.decide, count(self._entries)), (shard.costs.finish, count(self._writing))]
        self._on_database(steps, self._decided)

    def _decided(self) -> None:
        shard = self._shard
        self._locked = False
        shard.lock.give()
        self._tell_of_outcomes()
        self._walks, self._entries = self._entries, []
        for some in self._walks:
            shard.decided.add(shard.simulation.now - some.born, some.count)
        self._on_database([(shard.costs.walk, count(self._walks))], self._walked)

    def _walked(self) -> None:
        walks, self._walks = self._walks, []
        room = self._room
        for some in walks:
            mine = min(room, some.count)
            room -= mine
            self.lane.put([Some(some.born, mine)])
            self._shard.due.put([Some(some.born, some.count - mine)])
        self._send()
        self._sweep() if self._shard.simulation.now >= self._sweep_at else self._turn()

    def _finished(self) -> None:
        self._tell_of_outcomes()
        self._turn()

    def _tell_of_outcomes(self) -> None:
        shard = self._shard
        for some in self._writing:
            shard.told.add(shard.simulation.now - some.born, some.count)
        self._writing = []

    @property
    def _room(self) -> int:
        concurrency = self._shard.plant.concurrency
        flying = sum(map(count, self._flying))
        return max(0, concurrency * ROOM_PER_SENDER - self.lane.length - flying)

    def _sweep(self) -> None:
        """What is due and that no bell told of: a few times a second."""
        shard = self._shard
        now = shard.simulation.now
        if now < self._sweep_at or not (shard.due.length or shard.runs.length):
            self._rest()
            return
        self._sweep_at = now + SWEEP_SECONDS
        self._walks = shard.runs.take(RUNS_PER_TURN)
        if self._walks:
            self._on_database([(shard.costs.walk, count(self._walks))], self._walked)
            return
        claimed = shard.due.take(self._room)
        self._flying.append(claimed)

        def taken() -> None:
            self._flying.remove(claimed)
            self.lane.put(claimed)
            self._send()
            self._turn()

        self._on_database([(shard.costs.claim, count(claimed))], taken)

    def _rest(self) -> None:
        shard = self._shard
        self._turning = False
        if shard.journal.length or self.outcomes.length:
            self._turn()
        elif shard.due.length or shard.runs.length:
            shard.simulation.after(max(0.001, self._sweep_at - shard.simulation.now), self.wake)

    def _send(self) -> None:
        """The event loop: as many at once as the channel allows."""
        if self._sending or not self.lane.length:
            return
        plant = self._shard.plant
        free = plant.concurrency - sum(map(count, self._flying))
        if free <= 0:
            return
        batch = self.lane.take(free)
        self._flying.append(batch)
        self._sending = True
        self.process.work(self._shard.costs.send(count(batch)), lambda: self._on_its_way(batch))

    def _on_its_way(self, batch: list[Some]) -> None:
        self._sending = False
        plant = self._shard.plant
        self.sending += count(batch) / plant.concurrency * plant.receiver
        self._shard.simulation.after(plant.receiver, lambda: self._arrived(batch))
        self._send()

    def _arrived(self, batch: list[Some]) -> None:
        if not self.alive:
            return
        self._flying.remove(batch)
        self.outcomes.put(batch)
        self._send()
        self.wake()
