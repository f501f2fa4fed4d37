"""The Celery application: ``celery -A tocsin worker`` does what ``tocsin worker`` does, on many machines.

Each worker's main process hears the doorbell (``REDIS_URL``) and turns it into a message, and sweeps: no
beat is needed, and one does no harm. It waits for the database to be prepared as ``tocsin worker`` does.
"""

import os
from pathlib import Path
from typing import Any, Final

from celery import Celery, bootsteps
from celery.signals import setup_logging, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.settings")

from tocsin.core import config
from tocsin.core.farbell import Listener
from tocsin.db import schema

SWEEP_SECONDS: Final = 1.0
SWEEPS: Final = ("sweep", "watch_monitors")

config.load_env_file()
app = Celery("tocsin", broker=config.text("CELERY_BROKER_URL"))
app.conf.update(
    task_always_eager=config.flag("CELERY_TASK_ALWAYS_EAGER"),
    task_ignore_result=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_default_queue="tocsin",
    beat_schedule={name: {"task": name, "schedule": SWEEP_SECONDS} for name in SWEEPS},
    CELERY_DB_REUSE_MAX=1_000,
)
app.autodiscover_tasks(["tocsin.orchestration"])


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone where somebody is connected here."""


@worker_init.connect
def _wait_for_the_database(**_: Any) -> None:
    schema.wait()


class Alive(bootsteps.StartStopStep):
    """Touches a file each second for as long as the worker's main loop turns: for probes."""

    requires = {"celery.worker.components:Timer"}

    def __init__(self, worker: Any, **_: Any) -> None:
        self._file = config.text("TOCSIN_CELERY_ALIVE")

    def start(self, worker: Any) -> None:
        """Begin."""
        if self._file:
            worker.timer.call_repeatedly(SWEEP_SECONDS, Path(self._file).touch)


class Bell(bootsteps.StartStopStep):
    """In the worker's main process: rings become messages, and so does the time that passes."""

    requires = {"celery.worker.components:Timer"}

    def __init__(self, worker: Any, **_: Any) -> None:
        self._listener: Listener | None = None

    def start(self, worker: Any) -> None:
        """Begin to listen and to sweep."""
        url = config.text("REDIS_URL") or config.text("CELERY_BROKER_URL")
        if url.startswith(("redis://", "rediss://", "unix://")):
            self._listener = Listener(url, lambda: _send("orchestrate_event"))
        for name in SWEEPS:
            worker.timer.call_repeatedly(SWEEP_SECONDS, _send, (name,))

    def stop(self, worker: Any) -> None:
        """Hear nothing more."""
        if self._listener is not None:
            self._listener.close()


def _send(task: str) -> None:
    """A message that nobody took in time is not worth taking: there will be another."""
    app.send_task(task, expires=10 * SWEEP_SECONDS, retry=False, ignore_result=True)


app.steps["worker"].update({Alive, Bell})
