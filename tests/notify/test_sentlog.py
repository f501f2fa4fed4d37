"""What was sent and is not yet in the database: whose it is, and that nobody takes it from the living."""

from pathlib import Path

from tests.program import python
from tocsin.notify.outcome import Outcome
from tocsin.notify.sentlog import SentLog, of_the_dead

DIES = """
import os, signal
from pathlib import Path
from tocsin.notify.outcome import Outcome
from tocsin.notify.sentlog import SentLog
SentLog.begin(Path({folder!r}), "dead").add(Outcome("d-1", "token", answer="ok"))
os.kill(os.getpid(), signal.SIGKILL)
"""
LOOKS = """
from pathlib import Path
from tocsin.notify.sentlog import of_the_dead
print([log.worker for log in of_the_dead(Path({folder!r}))])
"""


def test_what_a_dead_worker_sent_is_found_once(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    python(DIES.format(folder=str(folder)), data_dir=tmp_path)
    (left,) = of_the_dead(folder)
    assert (left.worker, [outcome.delivery_id for outcome in left.outcomes()]) == ("dead", ["d-1"])
    assert list(of_the_dead(folder)) == [], "somebody has it"
    left.remove()
    assert not list(folder.iterdir())


def test_nobody_takes_it_from_the_living(tmp_path: Path) -> None:
    """Nor from one that is about to begin, when several start in one moment."""
    mine = SentLog.begin(tmp_path, "mine")
    (tmp_path / "other.new").touch()
    done = python(LOOKS.format(folder=str(tmp_path)), data_dir=tmp_path)
    assert done.stdout == "[]\n", done.stderr
    mine.add(Outcome("d-1", "token"))
    mine.written(1)
    assert mine.outcomes() == []
    mine.remove()


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    log = SentLog.begin(tmp_path, "mine")
    log.add(Outcome("d-1", "token"))
    with (tmp_path / "mine.sent").open("ab") as file:
        file.write(b'{"delivery')
    assert [outcome.delivery_id for outcome in log.outcomes()] == ["d-1"]
    log.remove()
