"""The spool: order, bounds, what survives, and what becomes of files that are not as they should be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.rounds import after, results, spool
from tocsin.agent import book
from tocsin.agent.rounds import MOST_ALERTS, MOST_BYTES, decode
from tocsin.agent.spool import BAD, MOST_BAD, Spool


def drain(of: Spool) -> Iterator[int]:
    """The numbers of the rounds, as a hub that takes all of them gets them."""
    while (batch := of.batch()) is not None:
        of.done(batch)
        yield from batch.seqs


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.round"))


def test_rounds_come_out_in_order_also_after_a_restart(tmp_path: Path) -> None:
    first = spool(tmp_path)
    numbers = [first.add(results(2), after(n)) for n in range(5)]
    second = spool(tmp_path, at=10)
    numbers += [second.add(results(2), after(10 + n)) for n in range(5)]
    assert numbers == sorted(set(numbers))
    assert list(drain(spool(tmp_path, at=20))) == numbers
    assert not files(tmp_path)


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    given: list[int] = []
    for opened in range(20):
        of = spool(tmp_path, at=-opened * 86_400)  # the clock goes back a day each time
        given += [of.add(results(1), after(0)) for _ in range(40)]
        list(drain(of))
    assert given == sorted(set(given))


def test_a_spool_from_a_backup_goes_on_with_later_numbers(tmp_path: Path) -> None:
    of = spool(tmp_path)
    backup = (tmp_path / book.NAME).read_bytes()
    last = [of.add(results(1), after(60 * n)) for n in range(100)][-1]
    list(drain(of))
    (tmp_path / book.NAME).write_bytes(backup)
    assert spool(tmp_path, at=6_000).add(results(1), after(6_000)) > last


def test_a_copy_on_another_machine_has_an_id_of_its_own(tmp_path: Path) -> None:
    of = spool(tmp_path)
    kept = book.opened(tmp_path)
    kept.machine = "another"
    kept.save(tmp_path)
    assert spool(tmp_path).id != of.id


def test_rounds_keep_the_id_that_they_were_taken_under(tmp_path: Path) -> None:
    before = spool(tmp_path)
    numbers = [before.add(results(1), after(n)) for n in range(2)]
    (tmp_path / book.NAME).write_bytes(b"{garbage")
    now = spool(tmp_path, at=5)
    assert now.id != before.id and now.dropped.unreadable == 1
    numbers.append(now.add(results(1), after(6)))
    batches = []
    while (batch := now.batch()) is not None:
        batches.append((batch.spool, batch.seqs))
        now.done(batch)
    assert batches == [(before.id, numbers[:2]), (now.id, numbers[2:])]


def test_a_batch_holds_what_a_post_may(tmp_path: Path) -> None:
    of = spool(tmp_path)
    for n in range(150):
        of.add(results(7), after(n))
    of.add(results(3 * MOST_ALERTS), after(200))
    for n in range(8):
        of.add(results(100, text="x" * 3_000), after(300 + n))
    while (batch := of.batch()) is not None:
        assert len(batch.alerts) <= MOST_ALERTS
        sizes = [
            entry.size for entry in of._entries if entry.in_flight and entry.filed.seq in set(batch.seqs)
        ]
        assert sum(sizes) <= MOST_BYTES
        of.done(batch)


def test_what_is_released_is_sent_again_under_the_same_id(tmp_path: Path) -> None:
    of = spool(tmp_path)
    of.add(results(1), after(0))
    first = of.batch()
    assert first is not None and of.waiting == 0
    of.release(first)
    again = of.batch()
    assert again is not None and again.id == first.id
    assert first.id == f"{of.id}:{first.seqs[0]}-{first.seqs[0]}"


@pytest.mark.parametrize("damage", [
    lambda data: b"",
    lambda data: data[: len(data) // 2],
    lambda data: data[:-1],
    lambda data: b"\0" * len(data),
    lambda data: data.replace(b"fine", b"fime"),
    lambda data: b"tocsin-round 1 zzzz\n{}",
    lambda data: b"tocsin-round 1 00000000\n",
    lambda data: b"\xff\xfe" + data,
])  # fmt: skip
def test_a_bad_file_loses_only_itself(tmp_path: Path, damage: object) -> None:
    of = spool(tmp_path)
    numbers = [of.add(results(1), after(n)) for n in range(5)]
    victim = files(tmp_path)[2]
    victim.write_bytes(damage(victim.read_bytes()))  # type: ignore[operator]
    said: list[str] = []
    again = spool(tmp_path, at=9, say=said.append)
    assert list(drain(again)) == numbers[:2] + numbers[3:]
    assert again.dropped.unreadable == 1
    assert victim.name in said[0]
    assert (tmp_path / BAD / victim.name).exists()
    assert spool(tmp_path, at=9).dropped.unreadable == 1


def test_another_rounds_content_is_no_rounds(tmp_path: Path) -> None:
    of = spool(tmp_path)
    numbers = [of.add(results(1), after(n)) for n in range(2)]
    first, second = files(tmp_path)
    first.write_bytes(second.read_bytes())
    assert list(drain(spool(tmp_path, at=5))) == numbers[1:]


def test_what_was_being_written_goes(tmp_path: Path) -> None:
    of = spool(tmp_path)
    number = of.add(results(1), after(0))
    (tmp_path / "0000000000000009-1-1-0.round.tmp").write_bytes(b"tocsin-ro")
    assert list(drain(spool(tmp_path))) == [number]
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("name", ["0000000000000007-1-1-0.round", "0000000000000007-1-1-0-extra.round"])
def test_a_later_versions_file_is_left_alone_and_counted(tmp_path: Path, name: str) -> None:
    of = spool(tmp_path)
    number = of.add(results(1), after(0))
    (tmp_path / name).write_bytes(b"tocsin-round 2 00000000\nwho knows")
    for _ in range(2):
        again = spool(tmp_path)
        assert again.batch() is not None
        assert again.dropped.unreadable == 1
    assert list(drain(spool(tmp_path))) == [number]
    assert (tmp_path / name).exists()


def test_garbage_with_a_rounds_suffix_is_moved_aside(tmp_path: Path) -> None:
    of = spool(tmp_path)
    (tmp_path / "notes.round").write_text("buy milk")
    (tmp_path / "folder.round").mkdir()
    again = spool(tmp_path)
    assert of.dropped.unreadable == 0 and again.dropped.unreadable == 2
    assert not files(tmp_path)


def test_a_file_that_somebody_removed_loses_only_itself(tmp_path: Path) -> None:
    of = spool(tmp_path)
    numbers = [of.add(results(1), after(n)) for n in range(3)]
    files(tmp_path)[1].unlink()
    assert list(drain(of)) == [numbers[0], numbers[2]]
    assert of.dropped.unreadable == 1


def test_what_is_set_aside_is_bounded(tmp_path: Path) -> None:
    of = spool(tmp_path)
    for n in range(MOST_BAD + 20):
        of.add(results(1, 1), after(n))
        batch = of.batch()
        assert batch is not None
        of.set_aside(batch)
    assert len(list((tmp_path / BAD).iterdir())) == MOST_BAD
    assert (of.dropped.steady, of.dropped.transition) == (MOST_BAD + 20, MOST_BAD + 20)


def test_too_old_is_dropped_and_counted(tmp_path: Path) -> None:
    of = spool(tmp_path, max_age=3_600)
    of.add(results(2, 1), after(0))
    kept = [of.add(results(2), after(3_000))]
    again = spool(tmp_path, max_age=3_600, at=4_000)
    kept.append(again.add(results(1), after(4_000)))
    assert (again.dropped.steady, again.dropped.transition) == (2, 1)
    assert list(drain(again)) == kept


def test_a_clock_that_is_set_right_makes_no_round_old(tmp_path: Path) -> None:
    of = spool(tmp_path, at=-50 * 365 * 86_400)
    numbers = [of.add(results(1, 1), after(-50 * 365 * 86_400)), of.add(results(1), after(0))]
    assert list(drain(of)) == numbers
    assert of.dropped.transition == 0


def test_the_oldest_steady_results_go_first_and_changes_last(tmp_path: Path) -> None:
    of = spool(tmp_path, max_bytes=20_000)
    for n in range(60):
        of.add(results(3, 1 if n % 10 == 0 else 0), after(n))
    batch = of.batch()
    assert batch is not None
    changed = [alert for alert in batch.alerts if not alert.steady]
    assert len(changed) == 6 and of.dropped.transition == 0
    assert of.dropped.steady + sum(alert.steady for alert in batch.alerts) == 180
    kept = [alert.seq for alert in batch.alerts if alert.steady]
    assert min(kept) > sorted({alert.seq for alert in changed})[0]


def test_a_drop_is_counted_once_though_it_ends_in_the_middle(tmp_path: Path) -> None:
    of = spool(tmp_path)
    of.add(results(2), after(0))
    of.add(results(3), after(1))
    kept = book.opened(tmp_path)
    kept.dropped.steady, kept.dropping = 2, [files(tmp_path)[0].name]
    kept.save(tmp_path)  # here it was killed
    again = spool(tmp_path, at=2)
    assert again.dropped.steady == 2 and again.waiting == 1


@pytest.mark.parametrize("counted", [True, False])
def test_a_round_that_was_being_thinned_is_counted_once(tmp_path: Path, counted: bool) -> None:
    of = spool(tmp_path)
    of.add(results(3, 2), after(0))
    whole, uncounted = files(tmp_path)[0], (tmp_path / book.NAME).read_bytes()
    data = whole.read_bytes()
    assert spool(tmp_path, at=1, max_bytes=len(data) - 1).dropped.steady == 3
    left = files(tmp_path)
    whole.write_bytes(data)  # as if it had been killed before the old file went
    if not counted:
        (tmp_path / book.NAME).write_bytes(uncounted)
    again = spool(tmp_path, at=2)
    assert again.dropped.steady == 3 and files(tmp_path) == left != [whole]
    assert all(not alert.steady for alert in decode(left[0].read_bytes()).alerts)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    of = spool(tmp_path)
    of.add(results(1), after(0))
    for path in (*files(tmp_path), tmp_path / book.NAME):
        assert path.stat().st_mode & 0o077 == 0
