"""Which migrations the database has, beside those that this version brings: while an installation is upgraded
process by process, some find it behind themselves and some ahead."""

import signal
import sys
import time
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder

from tocsin.core import log

logger = log.get(__name__)

POLL_SECONDS: Final = 1.0
_SHOWN: Final = 3

Name = tuple[str, str]  # an app's label, and a migration's name


def brought() -> set[Name]:
    """What this version brings; none of it is imported."""
    return {
        (app.label, module.name)
        for app in apps.get_app_configs()
        for module in iter_modules([str(Path(app.path, "migrations"))])
        if module.name[0] not in "_~"
    }


def missing() -> set[Name]:
    """What this version needs and the database lacks. Raises DatabaseError."""
    return brought() - _applied()


def wait() -> None:
    """Return once the database has what this version needs, which ``tocsin prepare`` brings. Call it before
    anything else is begun.

    One that is ahead is welcome: what is new in it was made so that the version before can go on. Where it
    cannot be reached this returns at once: whoever starts then says so, and tries again.
    """
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _wait()
    except DatabaseError as error:
        logger.warning("schema.database_failed", error=str(error))
    finally:
        connection.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait() -> None:
    ours, told = brought(), False
    while lacking := ours - (there := _applied()):
        if not told:
            logger.warning("schema.behind", lacks=_named(lacking), waits_for="tocsin prepare")
        told = True
        connection.close()
        time.sleep(POLL_SECONDS)
    if unknown := there - ours:
        logger.warning("schema.ahead", has=_named(unknown))


def _applied() -> set[Name]:
    return set(MigrationRecorder(connection).applied_migrations())


def _named(migrations: set[Name]) -> str:
    names = [f"{app}.{name}" for app, name in sorted(migrations)]
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _end(*_: object) -> None:
    """Asked to end while it waits: a container's first process would not by itself."""
    sys.exit(0)
