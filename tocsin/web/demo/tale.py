"""How the demo's troubles unfold: the same each time, and never quite the same twice. Pure."""

import random
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from tocsin.core.severity import CRITICAL, WARNING
from tocsin.web.demo.catalogue import PROMETHEUS, TROUBLES, Trouble

SEED: Final = 2026
SHORTEST, LONGEST = 20.0, 40.0
MOST_FIRING: Final = 9


class Telling(msgspec.Struct, frozen=True):
    """One alert as it is told: where it is, how bad, whether it still is."""

    trouble: Trouble
    where: str
    severity: str
    number: int
    status: Literal["firing", "resolved"] = "firing"

    @property
    def text(self) -> str:
        """What its monitoring says of it."""
        return self.trouble.says.format(where=self.where, number=self.number)


class Beat(msgspec.Struct):
    """What happens at one moment, ``wait`` seconds after the one before."""

    wait: float
    tellings: list[Telling]


class Tale:
    """Remembers what fires, so that only what fires gets worse or ends."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = random.Random(seed)
        self.firing: dict[tuple[str, str], Telling] = {}

    def beats(self) -> Iterator[Beat]:
        """The opening, then a small story every half minute or so, without end."""
        yield from self._opening()
        while True:
            yield Beat(self._random.uniform(SHORTEST, LONGEST), self._episode())

    def _opening(self) -> Iterator[Beat]:
        quiet = [trouble for trouble in TROUBLES if trouble.severity != CRITICAL]
        yield Beat(0, [self._begin(trouble, trouble.places[0]) for trouble in quiet])
        yield Beat(3, [self._begin(trouble, trouble.places[1]) for trouble in quiet[:2]])
        first, second = list(self.firing.values())[2:4]
        yield Beat(5, [self._end(first), self._end(second)])
        yield Beat(4, [self._begin(first.trouble, first.where)])
        yield Beat(6, [self._begin(TROUBLES[1], TROUBLES[1].places[0])])
        yield Beat(8, [self._worsen(telling) for telling in self._mild()[:1]])

    def _episode(self) -> list[Telling]:
        """Something begins, gets worse or ends; when much fires, what has fired longest ends."""
        if len(self.firing) > MOST_FIRING:
            return [self._end(telling) for telling in list(self.firing.values())[:2]]
        mild = self._mild()
        chance = self._random.random()
        if chance < 0.15 and mild:
            return [self._worsen(self._random.choice(mild))]
        if chance < 0.4 and len(self.firing) > 3:
            return [self._end(self._random.choice(list(self.firing.values())))]
        return [self._begin(*self._random.choice(self._calm()))]

    def _calm(self) -> list[tuple[Trouble, str]]:
        """Where nothing fires now."""
        places = ((trouble, where) for trouble in TROUBLES for where in trouble.places)
        return [(trouble, where) for trouble, where in places if (trouble.name, where) not in self.firing]

    def _mild(self) -> list[Telling]:
        """What may get worse. To Prometheus another severity is another alert."""
        told = (telling for telling in self.firing.values() if telling.trouble.source != PROMETHEUS)
        return [telling for telling in told if telling.severity == WARNING]

    def _begin(self, trouble: Trouble, where: str) -> Telling:
        return self._tell(Telling(trouble, where, trouble.severity, self._random.randint(*trouble.numbers)))

    def _worsen(self, telling: Telling) -> Telling:
        worst = telling.trouble.numbers[1]
        return self._tell(msgspec.structs.replace(telling, severity=CRITICAL, number=worst))

    def _end(self, telling: Telling) -> Telling:
        return self._tell(msgspec.structs.replace(telling, status="resolved"))

    def _tell(self, telling: Telling) -> Telling:
        place = telling.trouble.name, telling.where
        if telling.status == "resolved":
            del self.firing[place]
        else:
            self.firing[place] = telling
        return telling
