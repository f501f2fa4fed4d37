"""A process that plays one history under one configuration: lines come in on standard input, what it finds
goes out on standard output. Its data directory and its database are its own, and thrown away."""

import gc
import os
import random
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import django
from django.conf import settings

# What is not played has no part in it, and would only take time to load.
_LEFT_OUT: Final = frozenset({
    "django.contrib.admin", "django.contrib.messages", "django.contrib.sessions",
    "django.contrib.staticfiles", "django_htmx", "tocsin.web", "tocsin.api",
})  # fmt: skip
POLITE: Final = 5  # how much behind the processes that people wait for
BROKEN_OFF: Final = 3  # the exit code where nobody is there any more who feeds it


def main(fed_by: int) -> int:
    """Play what comes in from the process of that number."""
    os.umask(0o077)
    os.nice(POLITE)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tocsin.settings"
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app not in _LEFT_OUT]
    django.setup()
    random.seed(0)  # pauses before a retry are alike in all of them
    from tocsin.orchestration.replay import stage

    gc.freeze()
    try:
        stage.play(sys.stdin.buffer, sys.stdout.buffer)
        whole = os.getppid() == fed_by
    except EOFError:
        whole = False
    if whole:
        return 0
    _clear(Path(os.environ["TOCSIN_DATA_DIR"]))
    return BROKEN_OFF


def _clear(folder: Path) -> None:
    """Who fed it is gone, and cannot do it."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # the other one's is still there
        folder.parent.rmdir()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
