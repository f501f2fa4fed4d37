"""Work that is done once Slack has its answer, in threads of its own: at most so much, so that a Slack that
does not listen costs no memory. What is lost with the process is words, never a deed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final

from django.db import DatabaseError, connections

from tocsin.core import log
from tocsin.core.errors import TocsinError

logger = log.get(__name__)

THREADS: Final = 4
MOST_WAITING: Final = 200

Work = Callable[[], None]

_threads: Final = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="chat")
_room: Final = BoundedSemaphore(MOST_WAITING)


def do(work: Work) -> None:
    """Have it done soon."""
    if not _room.acquire(blocking=False):
        logger.warning("chat.too_much_to_say", waiting=MOST_WAITING)
        return
    _threads.submit(_done, work)


def _done(work: Work) -> None:
    try:
        work()
    except (TocsinError, DatabaseError) as error:
        logger.warning("chat.not_said", error=str(error))
    finally:
        _room.release()
        connections.close_all()
