"""The pieces of the simulation: events, processors, processes, queues. They know nothing of alerts."""

import heapq
import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

Then = Callable[[], None]
QUANTUM: Final = 0.005  # seconds a process has a core before another may
_BUCKETS: Final = 40  # of lags, for each factor of ten: to within 6 percent


class Simulation:
    """Events in the order of their time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Then]] = []
        self._count = itertools.count()

    def after(self, seconds: float, then: Then) -> None:
        """Have something happen."""
        heapq.heappush(self._events, (self.now + seconds, next(self._count), then))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            self.now, _, then = heapq.heappop(self._events)
            then()
        self.now = until


class Host:
    """So many cores. What wants one waits in line."""

    def __init__(self, simulation: Simulation, name: str, cores: float) -> None:
        self.name, self.cores = name, cores
        self._simulation = simulation
        self._free = max(1, math.ceil(cores))
        self._slow = self._free / cores  # a part of a core is a slower one
        self._line: deque[tuple[float, Then]] = deque()
        self.busy = 0.0  # core-seconds
        self.up = True

    def run(self, seconds: float, then: Then) -> None:
        """Have a core for so long."""
        self._line.append((seconds, then))
        self._begin()

    def stop(self, seconds: float) -> None:
        """Be away; what was asked of it waits."""
        self.up = False
        self._simulation.after(seconds, self._back)

    def _back(self) -> None:
        self.up = True
        self._begin()

    def _begin(self) -> None:
        while self.up and self._free and self._line:
            self._free -= 1
            seconds, then = self._line.popleft()
            self._simulation.after(seconds * self._slow, lambda s=seconds, t=then: self._end(s, t))  # type: ignore[misc]

    def _end(self, seconds: float, then: Then) -> None:
        self.busy += seconds
        self._free += 1
        then()
        self._begin()


class Process:
    """One at a time of its threads runs, on a core of its host, for a quantum; then the next."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._threads: deque[tuple[float, Then]] = deque()
        self._running = False
        self._alive = True
        self.busy = 0.0

    def work(self, seconds: float, then: Then) -> None:
        """Take so much processor time; then go on."""
        if seconds <= 0:
            then()
            return
        self._threads.append((seconds, then))
        self._next()

    def die(self) -> None:
        """Do nothing any more; nothing that was begun is ended."""
        self._alive = False
        self._threads.clear()

    def _next(self) -> None:
        if self._running or not self._threads:
            return
        self._running = True
        left, then = self._threads.popleft()
        turn = min(left, QUANTUM)
        self.host.run(turn, lambda: self._ran(turn, left - turn, then))

    def _ran(self, turn: float, left: float, then: Then) -> None:
        self._running = False
        self.busy += turn
        if not self._alive:
            return
        if left > 1e-12:
            self._threads.append((left, then))
        else:
            then()
        self._next()


class Lock:
    """One at a time has it; the others wait in line."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._line: deque[Then] = deque()
        self._since: float | None = None
        self.busy = 0.0

    def take(self, then: Then) -> None:
        """Go on once it is free."""
        if self._since is None:
            self._since = self._simulation.now
            then()
        else:
            self._line.append(then)

    def give(self) -> None:
        """Let the next one have it."""
        assert self._since is not None
        self.busy += self._simulation.now - self._since
        self._since = None
        if self._line:
            self.take(self._line.popleft())


@dataclass(frozen=True, slots=True)
class Some:
    """So many things that were born in the same moment."""

    born: float
    count: int


class Queue:
    """What waits, in order; and the figures of its waiting."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._line: deque[tuple[float, Some]] = deque()
        self._changed_at = 0.0
        self.length = 0
        self.longest = 0
        self.came = 0
        self.left = 0
        self.area = 0.0  # length times seconds
        self.waited = 0.0  # seconds of all that left

    def put(self, some: Iterable[Some]) -> None:
        """Have them wait."""
        for one in some:
            if one.count:
                self._line.append((self._simulation.now, one))
                self.came += one.count
                self._grow(one.count)

    def take(self, most: int) -> list[Some]:
        """The first that wait."""
        taken: list[Some] = []
        while self._line and most > 0:
            since, one = self._line.popleft()
            if one.count > most:
                self._line.appendleft((since, Some(one.born, one.count - most)))
                one = Some(one.born, most)
            most -= one.count
            self.left += one.count
            self.waited += one.count * (self._simulation.now - since)
            self._grow(-one.count)
            taken.append(one)
        return taken

    def still_waiting(self) -> float:
        """Seconds that those who are still here have waited."""
        return sum(one.count * (self._simulation.now - since) for since, one in self._line)

    def settle(self) -> None:
        """Count what has waited up to now."""
        self._grow(0)

    def _grow(self, count: int) -> None:
        self.area += self.length * (self._simulation.now - self._changed_at)
        self._changed_at = self._simulation.now
        self.length += count
        self.longest = max(self.longest, self.length)


class Lags:
    """How long things took, to be asked for percentiles."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.longest = 0.0

    def add(self, seconds: float, count: int) -> None:
        """So many took so long."""
        self._counts[math.floor(math.log10(max(seconds, 1e-6)) * _BUCKETS)] += count
        self.count += count
        self.longest = max(self.longest, seconds)

    def percentile(self, part: float) -> float:
        """Seconds within which that part of them was over; 0 where there was none."""
        wanted, seen = part * self.count, 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(self.longest, 10 ** ((bucket + 0.5) / _BUCKETS))
        return 0.0


def count(some: Iterable[Some]) -> int:
    """How many they are."""
    return sum(one.count for one in some)
