"""``tocsin migrate``: Django's own, made to run while processes of the version before are at work."""

import time
from typing import Any, Final

from django.core.management.commands import migrate
from django.db import OperationalError, connection

from tocsin.core import log
from tocsin.db import bulk
from tocsin.db.alone import in_turn

logger = log.get(__name__)

LOCK_SECONDS: Final = 2
PAUSE_SECONDS: Final = 3.0
_LOCK_NOT_AVAILABLE: Final = "55P03"


class Command(migrate.Command):
    help = "Bring the database up to date, while processes of the version before may go on."

    def handle(self, *args: Any, **options: Any) -> None:
        with in_turn("migrate"):  # several machines may be started at once
            self._be_impatient()
            while not self._migrated(*args, **options):
                time.sleep(PAUSE_SECONDS)

    def _be_impatient(self) -> None:
        """On PostgreSQL everybody waits behind a change of a table that waits itself, as for a backup to
        end: so it gives up soon, and others pass before it tries again."""
        if connection.vendor == "postgresql":
            bulk.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])

    def _migrated(self, *args: Any, **options: Any) -> bool:
        try:
            super().handle(*args, **options)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            logger.warning("migrate.waits", error=" ".join(str(error).split()))
            return False
        return True
