"""Rounds on disk until the hub has them: in order, bounded by size and age, each file for itself.

When the disk cannot be written, rounds wait in memory, and go to the disk once it can be.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from tocsin.agent import book, files
from tocsin.agent.book import AHEAD, Dropped
from tocsin.agent.rounds import (
    MOST_ALERTS,
    MOST_BYTES,
    SUFFIX,
    Alert,
    Filed,
    Newer,
    Round,
    Unreadable,
    cut,
    decode,
    encode,
    is_newer,
)

MOST_IN_MEMORY: Final = 2_000_000
BAD: Final = "bad"
MOST_BAD: Final = 100
MOST_BAD_BYTES: Final = 5_000_000
Say = Callable[[str], None]


@dataclass(eq=False)
class _Entry:
    """A round that waits; ``data`` holds it while it is not on the disk."""

    filed: Filed
    size: int
    data: bytes | None = None
    in_flight: bool = False
    taken: float = -math.inf  # by the monotonic clock; long ago where another process took it

    @property
    def count(self) -> int:
        return self.filed.steady + self.filed.transitions


@dataclass
class Batch:
    """Rounds to be sent in one post."""

    spool: str
    seqs: list[int]
    alerts: list[Alert]

    @property
    def id(self) -> str:
        """The same for the same rounds."""
        return f"{self.spool}:{self.seqs[0]}-{self.seqs[-1]}"


class Spool:
    """The rounds in one folder, which its user must hold. Safe to use from several threads."""

    def __init__(self, folder: Path, *, max_bytes: int, max_age: float, now: datetime, say: Say) -> None:
        self._folder, self._max_bytes, self._max_age, self._say = folder, max_bytes, max_age, say
        self._lock = threading.Lock()
        self._troubled = False
        self._newer = 0
        (folder / BAD).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._book = book.opened(folder)
        self._entries = self._scan()
        newest = self._entries[-1].filed.seq if self._entries else 0
        # By the clock at least: a spool that was put back from a backup does not give numbers again.
        self._next = max(self._book.reserved, newest, int(now.timestamp())) + 1
        with self._lock:
            self._reserve()
            self._bound(now)

    @property
    def id(self) -> str:
        """Under which the numbers of its rounds count."""
        return self._book.id

    @property
    def dropped(self) -> Dropped:
        """What was dropped since it began, and files of a later version while they are there."""
        told = self._book.dropped
        return msgspec.structs.replace(told, unreadable=told.unreadable + self._newer)

    @property
    def waiting(self) -> int:
        """How many rounds wait, without those being sent."""
        with self._lock:
            return sum(not entry.in_flight for entry in self._entries)

    @property
    def size(self) -> int:
        """Bytes of all that wait."""
        with self._lock:
            return sum(entry.size for entry in self._entries)

    def add(self, alerts: Iterable[Alert], now: datetime) -> int:
        """Take a round; return its number."""
        with self._lock:
            for part in cut(alerts):
                seq = self._number()
                for alert in part:
                    alert.seq = seq
                round = Round(self._book.id, seq, now, part)
                data = encode(round)
                self._entries.append(_Entry(Filed.about(round), len(data), data, taken=time.monotonic()))
            self._bound(now)
            self._store()
            return seq

    def number(self) -> int:
        """A number for a post without a round."""
        with self._lock:
            return self._number()

    def changes_since(self, seq: int) -> Iterator[Round]:
        """Rounds behind this one that tell of a change."""
        with self._lock:
            late = [e for e in self._entries if e.filed.seq > seq and e.filed.transitions]
            yield from filter(None, [self._read(entry) for entry in late])

    def batch(self, most_rounds: int | None = None) -> Batch | None:
        """The oldest rounds, as many as one post may hold; None where nothing waits."""
        rounds: list[Round] = []
        taken: list[_Entry] = []
        with self._lock:
            count = size = 0
            for entry in list(self._entries):
                count, size = count + entry.count, size + entry.size
                if taken and (count > MOST_ALERTS or size > MOST_BYTES or len(taken) == most_rounds):
                    break
                round = self._read(entry)
                if round is None:
                    continue
                if rounds and round.spool != rounds[0].spool:
                    break
                rounds.append(round)
                taken.append(entry)
            for entry in taken:
                entry.in_flight = True
        if not rounds:
            return None
        return Batch(rounds[0].spool, [r.seq for r in rounds], [a for r in rounds for a in r.alerts])

    def done(self, batch: Batch) -> None:
        """The hub has these."""
        with self._lock:
            for entry in self._of(batch):
                self._forget(entry)
            self._store()

    def release(self, batch: Batch) -> None:
        """The hub does not have these yet."""
        with self._lock:
            for entry in self._of(batch):
                entry.in_flight = False

    def set_aside(self, batch: Batch) -> None:
        """The hub will never take these."""
        with self._lock:
            for entry in self._of(batch):
                self._book.dropped.steady += entry.filed.steady
                self._book.dropped.transition += entry.filed.transitions
                self._save()
                self._move_aside(entry)

    # What follows is called with the lock held.

    def _of(self, batch: Batch) -> list[_Entry]:
        seqs = set(batch.seqs)
        return [entry for entry in self._entries if entry.filed.seq in seqs]

    def _number(self) -> int:
        number, self._next = self._next, self._next + 1
        if number >= self._book.reserved:
            self._reserve()
        return number

    def _reserve(self) -> None:
        self._book.reserved = self._next + AHEAD
        self._save()

    def _save(self) -> None:
        with self._disk():
            self._book.save(self._folder)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Around what writes: says once that the disk cannot be written."""
        try:
            yield
        except OSError as error:
            if not self._troubled:
                self._say(
                    f"the spool cannot be written ({error.strerror}: {self._folder}); rounds wait in memory"
                )
            self._troubled = True

    def _store(self) -> None:
        """Put what waits in memory on the disk, the oldest first."""
        for entry in self._entries:
            if entry.data is not None:
                with self._disk():
                    files.write(self._folder / entry.filed.name, entry.data)
                    entry.data = None
                if entry.data is not None:
                    return
        if self._troubled:
            try:
                self._book.save(self._folder)
            except OSError:
                return
            self._troubled = False
            self._say("the spool can be written again")

    def _read(self, entry: _Entry) -> Round | None:
        """Its round. None where it cannot be read; it is let go of then."""
        try:
            data = entry.data or (self._folder / entry.filed.name).read_bytes()
            round = decode(data)
            if round.seq != entry.filed.seq:
                raise Unreadable("it is another round's")
            return round
        except Newer:
            self._newer += 1
            self._entries.remove(entry)
        except (OSError, Unreadable) as error:
            self._say(f"{entry.filed.name} cannot be read ({error}); it is in {self._folder / BAD}")
            self._book.dropped.unreadable += 1
            self._save()
            self._move_aside(entry)
        return None

    def _forget(self, entry: _Entry) -> None:
        self._entries.remove(entry)
        files.remove(self._folder / entry.filed.name)

    def _move_aside(self, entry: _Entry) -> None:
        if entry.data is None:
            _move(self._folder, entry.filed.name)
        else:
            with self._disk():
                files.write(self._folder / BAD / entry.filed.name, entry.data)
        self._forget(entry)

    def _bound(self, now: datetime) -> None:
        """Drop what is too old, then of what is too much the oldest that is steady, then the oldest."""
        self._drop([entry for entry in self._entries if self._too_old(entry, now)])
        self._shrink(self._entries, self._max_bytes)
        self._shrink([e for e in self._entries if e.data is not None], MOST_IN_MEMORY)

    def _too_old(self, entry: _Entry, now: datetime) -> bool:
        """By both clocks: one that was set right after the start must not make all rounds old."""
        age = min(now.timestamp() - entry.filed.taken_at, time.monotonic() - entry.taken)
        return age > self._max_age and not entry.in_flight

    def _shrink(self, among: list[_Entry], most: int) -> None:
        excess = sum(entry.size for entry in among) - most
        free = [entry for entry in among if not entry.in_flight] if excess > 0 else []
        doomed: list[_Entry] = []
        for entry in free:
            if excess > 0 and entry.filed.steady:
                if entry.filed.transitions:
                    excess -= self._without_steady(entry)
                else:
                    doomed.append(entry)
                    excess -= entry.size
        self._drop(doomed)
        oldest = set(free)
        left = [entry for entry in self._entries if entry in oldest] if excess > 0 else []
        doomed = []
        for entry in left:
            if excess > 0:
                doomed.append(entry)
                excess -= entry.size
        self._drop(doomed)

    def _drop(self, chosen: list[_Entry]) -> None:
        doomed = [entry for entry in chosen if not self._leave_alone(entry)]
        if not doomed:
            return
        self._book.dropped.steady += sum(entry.filed.steady for entry in doomed)
        self._book.dropped.transition += sum(entry.filed.transitions for entry in doomed)
        self._book.dropping = [entry.filed.name for entry in doomed if entry.data is None]
        self._save()
        for entry in doomed:
            self._forget(entry)

    def _leave_alone(self, entry: _Entry) -> bool:
        """Whether it is a later version's, by its content: that is not ours to drop."""
        if entry.data is not None or not is_newer(self._folder / entry.filed.name):
            return False
        self._newer += 1
        self._entries.remove(entry)
        return True

    def _without_steady(self, entry: _Entry) -> int:
        """Drop a round's steady results; return the bytes saved."""
        before, round = entry.size, self._read(entry)
        if round is None:
            return before
        old, steady = entry.filed.name, entry.filed.steady
        round.alerts = [alert for alert in round.alerts if not alert.steady]
        data, filed = encode(round), Filed.about(round)
        if entry.data is not None:
            entry.data = data
        else:
            try:
                files.write(self._folder / filed.name, data)
            except OSError:  # no room even for less: it stays whole
                return 0
            self._book.dropping = [old]
        self._book.dropped.steady += steady
        self._save()
        files.remove(self._folder / old)
        entry.filed, entry.size = filed, len(data)
        return before - entry.size

    def _scan(self) -> list[_Entry]:
        """What is in the folder. What was being written or dropped when this ended last goes."""
        for name in self._book.dropping:
            files.remove(self._folder / name)
        self._book.dropping = []
        found: dict[int, _Entry] = {}
        for path in sorted(self._folder.iterdir()):
            if path.name.endswith(files.TEMPORARY):
                files.remove(path)
            elif path.suffix == SUFFIX:
                self._find(path, found)
        return [found[seq] for seq in sorted(found)]

    def _find(self, path: Path, found: dict[int, _Entry]) -> None:
        filed = Filed.of(path.name)
        if filed is None:
            self._unknown(path)
            return
        entry = _Entry(filed, path.stat().st_size)
        other = found.setdefault(filed.seq, entry)
        if other is not entry:  # it was about to be dropped for the one without steady results
            less, more = sorted((entry, other), key=lambda one: one.count)
            self._book.dropped.steady += more.count - less.count
            found[filed.seq] = less
            files.remove(self._folder / more.filed.name)

    def _unknown(self, path: Path) -> None:
        """A round by its suffix and no more: a later version's, which that may still send, or garbage."""
        try:
            decode(path.read_bytes())
        except Newer:
            self._newer += 1
            return
        except (OSError, Unreadable):
            pass
        self._say(f"{path.name} is no round; it is in {self._folder / BAD}")
        self._book.dropped.unreadable += 1
        _move(self._folder, path.name)


def _move(folder: Path, name: str) -> None:
    """Out of the way, for people to look at; the oldest of what was moved there goes."""
    try:
        (folder / name).replace(folder / BAD / name)
    except OSError:  # it cannot be moved, or is gone
        files.remove(folder / name)
    sizes = {path: path.stat().st_size for path in sorted((folder / BAD).iterdir())}
    while sizes and (len(sizes) > MOST_BAD or sum(sizes.values()) > MOST_BAD_BYTES):
        oldest = next(iter(sizes))
        files.remove(oldest)
        del sizes[oldest]
