"""State and journal: what a group of posts changes, written in one transaction.

Most messages repeat what is known. They are compared against a plain read; only when something
changes is the write lock taken, the rows read again under it, and the change written. That an
alert was heard of again is noted a little later, many at a time: its loss would cost nothing, as
``HASTE`` keeps an expiry from coming near unwritten.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from tocsin.alerts import transition
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.alerts.transition import State
from tocsin.core.labels import Fingerprints, encode
from tocsin.db import bulk

HASTE = timedelta(seconds=90)  # more than the minute after which most senders speak again
NO_OPEN_ALERT = "it ends an alert that was not open"
NOT_FIRING = "it acknowledges an alert that does not fire"
LATE = "it speaks of an episode that had already ended"

_STATE_COLUMNS = (
    "fingerprint",
    "status",
    "severity",
    "started_at",
    "ended_at",
    "expires_at",
    "timed_out",
    "episode",
    "annotations",
)
_ALERT_COLUMNS = (
    "fingerprint", "name", "status", "severity", "source", "labels", "annotations", "generator_url",
    "started_at", "ended_at", "expires_at", "timed_out", "episode", "seen_at",
)  # fmt: skip
_ENDED_COLUMNS = ("status", "ended_at", "expires_at", "timed_out", "seen_at")
_HISTORY_COLUMNS = (
    "alert_id", "fingerprint", "kind", "severity", "source", "episode", "at", "received_at", "trace_id",
    "actor", "decision", "reason",
)  # fmt: skip

_ALERT_ID = "(SELECT id FROM alerts_alert WHERE fingerprint = %s)"

_Touched = dict[str, tuple[State, datetime]]  # by fingerprint: its state, and when it was heard of


class Post(msgspec.Struct, gc=False):
    """The alerts of one request, on their way to the disk."""

    events: list[AlertEvent]
    source: str
    trace_id: str
    received_at: datetime
    sender: str = ""  # the source whose token came with it


class _Plan:
    """What a group of posts changes, computed from the states it found."""

    def __init__(self, states: dict[str, State], ended: dict[str, datetime]) -> None:
        self.states = states
        self.ended = ended  # of fingerprints without an alert: the end of the last episode heard of
        self.fresh: dict[str, tuple[AlertEvent, Post]] = {}
        self.moved: dict[str, tuple[AlertEvent, Post]] = {}
        self.over: dict[str, Post] = {}
        self.touched: _Touched = {}
        self.journal: list[bulk.Row] = []
        self.in_haste = False

    @property
    def writes(self) -> bool:
        return bool(self.journal or self.moved or self.in_haste)

    def take(self, post: Post, fingerprint: str, event: AlertEvent) -> None:
        state = self.states.get(fingerprint)
        if state is None:
            self._unknown(post, fingerprint, event)
            return
        annotations = encode(event.annotations).decode()
        after, change = transition.apply(state, event, annotations, post.received_at)
        if change == transition.ACKNOWLEDGED:
            self._note(post, fingerprint, change, after)
        if after is state:
            return
        self.states[fingerprint] = after
        if change is not None:
            self._note(post, fingerprint, change, after)
        elif after.annotations == state.annotations and after.started_at == state.started_at:
            self._touch(post, fingerprint, state, after)
            return
        self.touched.pop(fingerprint, None)
        if change in transition.ENDING:
            self._end(post, fingerprint)
            return
        self.over.pop(fingerprint, None)
        target = self.fresh if fingerprint in self.fresh else self.moved
        target[fingerprint] = (event, post)

    def _end(self, post: Post, fingerprint: str) -> None:
        """Its end leaves an alert as it was told when it fired; many sources say less when it is over."""
        for told in (self.fresh, self.moved):
            if fingerprint in told:
                told[fingerprint] = (told[fingerprint][0], post)
                return
        self.over[fingerprint] = post

    def _touch(self, post: Post, fingerprint: str, state: State, after: State) -> None:
        if fingerprint in self.fresh or fingerprint in self.moved:
            return  # written with the rest of its row
        self.touched[fingerprint] = (after, post.received_at)
        if state.expires_at is not None and state.expires_at - post.received_at < HASTE:
            self.in_haste = True

    def _unknown(self, post: Post, fingerprint: str, event: AlertEvent) -> None:
        ended = self.ended.get(fingerprint)
        if event.status == "resolved":
            ends_at = event.ends_at or post.received_at
            if ended is None or ends_at > ended:
                self.ended[fingerprint] = ends_at
                self._ignore(post, fingerprint, transition.RESOLVED, event, ends_at, NO_OPEN_ALERT)
        elif event.status == "acknowledged":
            self._ignore(post, fingerprint, transition.ACKNOWLEDGED, event, post.received_at, NOT_FIRING)
        elif ended and not event.reopens and event.starts_at is not None and event.starts_at < ended:
            self._ignore(post, fingerprint, transition.FIRED, event, event.starts_at, LATE)
        else:
            after = transition.opened(event, encode(event.annotations).decode(), post.received_at)
            self.states[fingerprint] = after
            self.fresh[fingerprint] = (event, post)
            self._note(post, fingerprint, transition.FIRED, after)

    def _note(self, post: Post, fingerprint: str, change: transition.Change, after: State) -> None:
        at = _happened(change, after, post.received_at)
        self.journal.append(
            (fingerprint, fingerprint, change, after.severity, post.source, after.episode, bulk.moment(at),
             bulk.moment(post.received_at), post.trace_id, post.sender, AlertHistory.PENDING, "")
        )  # fmt: skip

    def _ignore(
        self, post: Post, fingerprint: str, kind: str, event: AlertEvent, at: datetime, why: str
    ) -> None:
        self.journal.append(
            (fingerprint, fingerprint, kind, event.severity, post.source, 0, bulk.moment(at),
             bulk.moment(post.received_at), post.trace_id, post.sender, AlertHistory.IGNORED, why)
        )  # fmt: skip


def _happened(change: transition.Change, after: State, received_at: datetime) -> datetime:
    if change in transition.ENDING:
        return after.ended_at or received_at
    return after.started_at if change in transition.OPENING else received_at


_Named = list[tuple[Post, str, AlertEvent]]


class Journal:
    """Writes posts. Belongs to one thread; any number of processes may have one each."""

    def __init__(self) -> None:
        self._fingerprints = Fingerprints()
        self._touched: _Touched = {}

    @property
    def has_touches(self) -> bool:
        """Whether ``flush`` has something to write."""
        return bool(self._touched)

    def commit(self, posts: Iterable[Post]) -> int:
        """Make all that these posts say durable; return how many changes were journaled.

        Raises django.db.DatabaseError; then nothing of it is written.
        """
        named, all_seen = self._name(posts)
        if all_seen:
            plan = _plan(named, lock=False)
            if not plan.writes:
                self._touched.update(plan.touched)
                return 0
        with bulk.transaction():
            plan = _plan(named, lock=True)
            _write(plan)
        if self._touched:
            self._forget(plan)
        return len(plan.journal)

    def _forget(self, plan: _Plan) -> None:
        """What was just written is newer than what waits for ``flush``."""
        for written in (plan.fresh, plan.moved, plan.over, plan.touched):
            for fingerprint in written:
                self._touched.pop(fingerprint, None)

    def flush(self, most: int | None = None) -> None:
        """Write which alerts were heard of again: all, or ``most`` of them, the first ones first."""
        chosen = dict(islice(self._touched.items(), most))
        with bulk.transaction():
            _write_touches(chosen)
        for fingerprint in chosen:
            del self._touched[fingerprint]

    def _name(self, posts: Iterable[Post]) -> tuple[_Named, bool]:
        """Each event with its fingerprint, and whether every label set was seen lately."""
        named, all_seen = [], True
        for post in posts:
            for event in post.events:
                fingerprint, seen = event.fingerprint, True
                if not fingerprint:
                    fingerprint, seen = self._fingerprints.of(event.labels)
                all_seen = all_seen and seen
                named.append((post, fingerprint, event))
        return named, all_seen


def _plan(named: _Named, lock: bool) -> _Plan:
    states = _read_states(list({fingerprint for _, fingerprint, _ in named}), lock)
    doubtful = {
        fingerprint
        for _, fingerprint, event in named
        if (event.starts_at is not None or event.status == "resolved") and fingerprint not in states
    }
    plan = _Plan(states, _read_ends(doubtful) if doubtful else {})
    for post, fingerprint, event in named:
        plan.take(post, fingerprint, event)
    return plan


def _read_states(fingerprints: list[str], lock: bool) -> dict[str, State]:
    where, params = bulk.among("fingerprint", fingerprints)
    order = f" ORDER BY fingerprint{bulk.for_update()}" if lock and bulk.for_update() else ""
    rest = f"FROM {Alert._meta.db_table} WHERE {where}{order}"
    moment = bulk.read_moment
    return {
        row[0]: State(
            row[1], row[2], moment(row[3]), moment(row[4]), moment(row[5]),  # type: ignore[arg-type]
            bool(row[6]), row[7], row[8],
        )
        for row in bulk.select(_STATE_COLUMNS, rest, params)
    }  # fmt: skip


def _read_ends(fingerprints: Iterable[str]) -> dict[str, datetime]:
    """When the last episode of each ended, for those known by their end alone."""
    where, params = bulk.among("fingerprint", fingerprints)
    rest = (
        f"FROM {AlertHistory._meta.db_table} WHERE {where} "
        f"AND decision = '{AlertHistory.IGNORED}' AND kind = '{transition.RESOLVED}' GROUP BY fingerprint"
    )
    rows = bulk.select(("fingerprint", "MAX(at)"), rest, params)
    return {fingerprint: end for fingerprint, at in rows if (end := bulk.read_moment(at))}


def _write(plan: _Plan) -> None:
    bulk.insert(Alert, _ALERT_COLUMNS, [_row(f, *by, plan.states[f]) for f, by in plan.fresh.items()])
    moved = [_row(f, *by, plan.states[f]) for f, by in plan.moved.items()]
    bulk.update(Alert, _ALERT_COLUMNS[1:], ("fingerprint",), [(*row[1:], row[0]) for row in moved])
    over = [_ended_row(f, post, plan.states[f]) for f, post in plan.over.items()]
    bulk.update(Alert, _ENDED_COLUMNS, ("fingerprint",), over)
    bulk.insert(AlertHistory, _HISTORY_COLUMNS, plan.journal, first=_ALERT_ID)
    _write_touches(plan.touched)


def _write_touches(touched: _Touched) -> None:
    rows = [
        (bulk.moment(seen_at), bulk.moment(state.expires_at), fingerprint, state.episode, Alert.FIRING)
        for fingerprint, (state, seen_at) in touched.items()
    ]
    bulk.update(Alert, ("seen_at", "expires_at"), ("fingerprint", "episode", "status"), rows)


def _row(fingerprint: str, event: AlertEvent, post: Post, state: State) -> bulk.Row:
    return (
        fingerprint, event.name[:255], state.status, state.severity, post.source,
        encode(event.labels).decode(), state.annotations, event.generator_url,
        bulk.moment(state.started_at), bulk.moment(state.ended_at), bulk.moment(state.expires_at),
        state.timed_out, state.episode, bulk.moment(post.received_at),
    )  # fmt: skip


def _ended_row(fingerprint: str, post: Post, state: State) -> bulk.Row:
    ended_at, seen_at = bulk.moment(state.ended_at), bulk.moment(post.received_at)
    return state.status, ended_at, bulk.moment(state.expires_at), state.timed_out, seen_at, fingerprint
