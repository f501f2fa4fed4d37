"""How the findings of two reruns differ, and how people are told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Final

from tocsin.core.terminal import Screen
from tocsin.orchestration.management.replayed import SHOWN, show
from tocsin.orchestration.replay.compare import Difference, compare
from tocsin.orchestration.replay.lines import Answer, Hid, Joined, Opened, Told
from tocsin.orchestration.replay.play import Replay
from tocsin.orchestration.replay.record import Recorded

NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def joined(entry: int, incident: int, counts: bool = True) -> Joined:
    return Joined(entry, incident, f"Disk on web-{entry}", counts)


def opened(incident: int, title: str = "", minutes: float = 0) -> Opened:
    return Opened(incident, title or f"Disk {incident}", "warning", "open", at(minutes), None, 1)


def told(*about: str, channel: str = "hook", minutes: float = 0, kind: str = "firing") -> Told:
    return Told(at(minutes), channel, 1, "Disk", kind, "fired", list(about))


def answers(*lines: Answer) -> Callable[[], tuple[Answer, ...]]:
    return lambda: lines


def difference(before: tuple[Answer, ...], after: tuple[Answer, ...], *channels: str) -> Difference:
    return compare(answers(*before), answers(*after), channels or ("hook",))


def shown(found: Difference, most: int = SHOWN) -> str:
    out = StringIO()
    recorded = Recorded(NOON, at(60), entries=1_234, acts=5)
    show(Replay(NOON, at(60), recorded, found, ["Mind the gap."], 0.5), Screen(out), most)
    return out.getvalue()


def test_numbers_of_incidents_are_nothing_to_go_by() -> None:
    before = (joined(1, 1), joined(2, 1), joined(3, 2), opened(1, "a"), opened(2, "b"))
    after = (joined(1, 7), joined(2, 7), joined(3, 8), opened(7, "a"), opened(8, "b"))
    found = difference(before, after)
    assert found.none
    assert (found.incidents.before, found.incidents.after) == (2, 2)


def test_merged_split_regrouped_and_renamed() -> None:
    apart = (joined(1, 1), joined(2, 2), joined(3, 3), opened(1), opened(2, minutes=1), opened(3, minutes=2))
    together = (joined(1, 9), joined(2, 9), joined(3, 9), opened(9, "Disk"))
    (merged,) = difference(apart, together).regrouped
    assert (merged.kind, len(merged.before), len(merged.after)) == ("merged", 3, 1)
    assert merged.moved == ["Disk on web-2", "Disk on web-3"]
    (split,) = difference(together, apart).regrouped
    assert (split.kind, split.moved) == ("split", ["Disk on web-2", "Disk on web-3"])
    before = (joined(1, 1), joined(2, 1), joined(3, 2), opened(1), opened(2))
    after = (joined(1, 1), joined(2, 2), joined(3, 2), opened(1), opened(2))
    assert [one.kind for one in difference(before, after).regrouped] == ["regrouped"]
    (renamed,) = difference((joined(1, 1), opened(1, "a")), (joined(1, 1), opened(1, "b"))).regrouped
    assert (renamed.kind, renamed.moved) == ("renamed", [])


def test_what_led_to_the_beginning_does_not_count() -> None:
    before = (joined(1, 1, False), joined(2, 2, False), opened(1), opened(2))
    after = (joined(1, 1, False), joined(2, 1, False), opened(1))
    found = difference(before, after)
    assert (found.incidents.before, found.incidents.after, found.regrouped) == (0, 0, [])
    counted = difference((*before, joined(3, 2)), (*after, joined(3, 1)))
    assert [one.kind for one in counted.regrouped] == ["merged"]


def test_messages_are_known_by_what_they_tell_of() -> None:
    before = (told("1"), told("1", channel="chat"), told("2", minutes=1), told("3", minutes=2))
    after = (told("1"), told("2", minutes=9), told("4", minutes=3), Hid("3", "silenced", "hush"))
    found = difference(before, after)
    assert [(one.channel, one.why) for one in found.fewer] == [
        ("chat", "there is no such channel, or it is off"), ("hook", "hush")
    ]  # fmt: skip
    assert [one.at for one in found.more] == [at(3)]
    assert [(one.at, one.instead_at) for one in found.moved] == [(at(1), at(9))]
    assert {name: (one.before, one.after) for name, one in found.messages.items()} == {
        "chat": (1, 0), "hook": (3, 3)
    }  # fmt: skip


def test_the_same_message_twice_is_two() -> None:
    found = difference((told("1"), told("1")), (told("1"),))
    assert len(found.fewer) == 1
    assert found.fewer[0].why == "told in another message, at 2026-11-21 12:00:00 UTC"


def test_ends_that_are_grouped_are_not_hidden_but_say_why() -> None:
    end = Hid("1", "grouped", "2 others still fire")
    found = difference((told("1", kind="resolved"),), (end,))
    assert found.hidden == {}
    assert found.fewer[0].why == "2 others still fire"


def test_people_read_a_table_and_sentences() -> None:
    before = (joined(1, 1), joined(2, 2), opened(1, "a"), opened(2, "b\x1b[31m", 1), told("1"), told("2"))
    after = (joined(1, 9), joined(2, 9), opened(9, "c"), told("1", minutes=5), Hid("2", "silenced", "hush"))
    assert shown(difference(before, after)) == (
        "Played 1,234 changes and 5 acts of people from 2026-11-21 12:00:00 to 2026-11-21 13:00:00 UTC.\n"
        "! Mind the gap.\n"
        "\n"
        f"{'':32}as it is  changed\n"
        f"{'incidents':32}2         1        -1\n"
        f"{'messages':32}2         1        -1\n"
        f"{'  to hook':32}2         1        -1\n"
        f"{'changes kept quiet by silences':32}0         1        +1\n"
        "\n"
        "Incidents that would have been one incident: 1\n"
        "  “a” (2026-11-21 12:00:00) + “b�[31m” (2026-11-21 12:01:00) → “c” (2026-11-21 12:00:00);"
        " moved: Disk on web-2\n"
        "\n"
        "Messages that would not have been sent: 1\n"
        "  2026-11-21 12:00:00 hook firing: “Disk” (fired): hush\n"
        "\n"
        "Messages that would have been sent at another time: 1\n"
        "  2026-11-21 12:00:00 hook firing: “Disk” (fired), at 2026-11-21 12:05:00 instead\n"
    )


def test_many_are_counted_and_told_where_all_are_asked_for() -> None:
    found = difference(tuple(told(str(n), minutes=n) for n in range(12)), ())
    assert shown(found).endswith("  … and 2 more; --all tells them\n")
    assert shown(found, 10_000).count("hook firing") == 12
    assert "Nothing would have been otherwise." in shown(difference((told("1"),), (told("1"),)))
