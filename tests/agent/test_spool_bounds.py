"""The spool's bounds: nothing is kept above them, nothing goes uncounted, changes go last."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agent.rounds import after, results, spool
from tocsin.agent.spool import Spool

AGE = 1_000.0
ADD = st.tuples(st.just("add"), st.integers(0, 6), st.integers(0, 3))
STEP = st.one_of(
    ADD,
    ADD,
    ADD,
    st.tuples(st.just("wait"), st.integers(0, 600), st.just(0)),
    st.tuples(st.just("send"), st.integers(1, 5), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
)


class Ledger:
    """What went in, what came out, what is there."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most, self.at = folder, most, 0.0
        self.spool = self.opened()
        self.added = {True: 0, False: 0}
        self.sent = {True: 0, False: 0}
        self.order: list[int] = []

    def opened(self) -> Spool:
        return spool(self.folder, max_bytes=self.most, max_age=AGE, at=self.at, say=lambda text: None)

    def do(self, word: str, first: int, second: int) -> None:
        if word == "add":
            self.spool.add(results(first, second), after(self.at))
            self.added[True] += first
            self.added[False] += second
        elif word == "wait":
            self.at += first
            self.spool = self.opened()  # by the clock of one process no time has passed
        elif word == "restart":
            self.spool = self.opened()
        elif (batch := self.spool.batch(first)) is not None:
            self.order += batch.seqs
            for alert in batch.alerts:
                self.sent[alert.steady] += 1
            self.spool.done(batch)

    def check(self) -> None:
        assert sum(path.stat().st_size for path in self.folder.glob("*.round")) <= self.most
        steady = sum(entry.filed.steady for entry in self.spool._entries)
        transitions = sum(entry.filed.transitions for entry in self.spool._entries)
        dropped = self.spool.dropped
        assert self.added[True] == self.sent[True] + steady + dropped.steady
        assert self.added[False] == self.sent[False] + transitions + dropped.transition
        assert self.order == sorted(set(self.order))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(300, 20_000), st.lists(STEP, max_size=40))
def test_bounds_and_ledger_hold_after_every_step(most: int, steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), most)
        for step in steps:
            ledger.do(*step)
            ledger.check()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(300, 8_000), st.lists(ADD, min_size=1, max_size=30))
def test_a_change_goes_only_when_nothing_steady_is_left(most: int, steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), most)
        for step in steps:
            before = ledger.spool.dropped.transition
            ledger.do(*step)
            if ledger.spool.dropped.transition > before:
                assert not any(entry.filed.steady for entry in ledger.spool._entries)
