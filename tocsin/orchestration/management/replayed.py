"""A replay told to people: a table of what there was and would have been, then differences as sentences."""

from collections.abc import Iterable, Sequence
from typing import Final

from tocsin.core.terminal import Piece, Screen, moment
from tocsin.orchestration.replay.compare import Count, Difference, Incident, Message, Regrouped
from tocsin.orchestration.replay.play import Replay, total

SHOWN: Final = 10
NAMED: Final = 4  # in one sentence, of those shown
_HIDDEN: Final = {
    "silenced": "changes kept quiet by silences",
    "folded": "changes folded into storms",
    "ignored": "changes without an incident",
    "failed": "changes lost in failed runs",
}
_WORDS: Final = {
    "merged": "would have been one incident",
    "split": "would have been several incidents",
    "regrouped": "would have been grouped otherwise",
    "renamed": "would have another title",
}


def show(found: Replay, screen: Screen, most: int) -> None:
    """All of it; of each kind of difference ``most``."""
    entries = f"{found.recorded.entries:,} changes and {found.recorded.acts:,} acts of people"
    screen.line(f"Played {entries} from {moment(found.since)} to {moment(found.until)} UTC.")
    for note in found.notes:
        screen.line(("!", "yellow"), note)
    screen.gap()
    screen.table(("", "as it is", "changed", ""), _rows(found))
    if found.difference.none:
        screen.gap()
        screen.line("Nothing would have been otherwise.")
        return
    _show_incidents(found.difference.regrouped, screen, most)
    _show_messages(found.difference, screen, most)


def _rows(found: Replay) -> Iterable[Sequence[Piece]]:
    difference = found.difference
    yield _row("incidents", difference.incidents)
    yield _row("messages", total(difference.messages.values()))
    for channel, count in difference.messages.items():
        yield _row(f"  to {channel}", count)
    for decision, count in difference.hidden.items():
        yield _row(_HIDDEN[decision], count)


def _row(what: str, count: Count) -> Sequence[Piece]:
    change = count.after - count.before
    return what, f"{count.before:,}", f"{count.after:,}", (f"{change:+,}", "bold") if change else ""


def _show_incidents(regrouped: Sequence[Regrouped], screen: Screen, most: int) -> None:
    for kind, words in _WORDS.items():
        those = [one for one in regrouped if one.kind == kind]
        if not those:
            continue
        screen.heading(f"Incidents that {words}: {len(those):,}")
        for one in those[:most]:
            screen.line(_sentence(one, most), indent=2)
        _more(len(those) - most, screen)


def _sentence(one: Regrouped, most: int) -> str:
    before, after = _named(one.before, most), _named(one.after, most)
    moved = f"; moved: {_some(one.moved, most, ', ')}" if one.moved else ""
    return f"{before} → {after}{moved}"


def _named(incidents: Sequence[Incident], most: int) -> str:
    return _some([f"“{one.title}” ({moment(one.opened_at)})" for one in incidents], most, " + ")


def _some(names: Sequence[str], most: int, between: str) -> str:
    named = NAMED if most == SHOWN else most
    more = f"{between}{len(names) - named:,} more" if len(names) > named else ""
    return between.join(names[:named]) + more


def _show_messages(difference: Difference, screen: Screen, most: int) -> None:
    for words, those in (
        ("Messages that would not have been sent", difference.fewer),
        ("Messages that would have been sent besides", difference.more),
        ("Messages that would have been sent at another time", difference.moved),
    ):
        if not those:
            continue
        screen.heading(f"{words}: {len(those):,}")
        for one in those[:most]:
            screen.line(moment(one.at), (one.channel, "bold"), _told(one), indent=2)
        _more(len(those) - most, screen)


def _told(one: Message) -> str:
    told = f"{one.kind}: “{one.incident}” ({one.reason})"
    if one.instead_at is not None:
        return f"{told}, at {moment(one.instead_at)} instead"
    return f"{told}: {one.why}" if one.why else told


def _more(count: int, screen: Screen) -> None:
    if count > 0:
        screen.line((f"… and {count:,} more; --all tells them", "dim"), indent=2)
