"""Whether the database can be reached and has the tables that this version works with."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.db import DatabaseError, connection

from tocsin.core import log
from tocsin.core.ending import ending
from tocsin.db import schema

logger = log.get(__name__)

ANSWER_SECONDS: Final = 3.0

# A thread of its own: one that hangs in the database holds up the next question and nothing else.
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readiness")
_migrated = False


async def what_is_wrong() -> str:
    """Why no work can be done now, in words; empty where it can."""
    if ending.asked:
        return "this process is about to end"
    asked = asyncio.get_running_loop().run_in_executor(_thread, _ask_database)
    done, _ = await asyncio.wait((asked,), timeout=ANSWER_SECONDS)
    return asked.result() if done else f"the database did not answer within {ANSWER_SECONDS:g} s"


def _ask_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = _missing_migrations()
    except DatabaseError as error:
        logger.warning("readiness.database_failed", error=str(error))
        return "the database cannot be reached; the log says why"
    finally:
        connection.close()
    if missing:
        return f"the database lacks {missing} migrations: run tocsin migrate"
    return ""


def _missing_migrations() -> int:
    """Not asked again once all are there: this process' code does not change."""
    global _migrated
    if _migrated:
        return 0
    missing = len(schema.missing())
    _migrated = missing == 0
    return missing
