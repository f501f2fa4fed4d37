"""``tocsin up``, for ``tocsin help``'s list; the console command starts it without loading Django."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from tocsin.core import supervisor


class Command(BaseCommand):
    help = "Run everything on this machine: migrate, then a web and a worker process, kept alive."

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(supervisor.main(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(supervisor.main([]))
