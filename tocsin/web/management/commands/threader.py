"""``tocsin threader``, for ``tocsin help``'s list; the console command starts it without loading Django."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Keep each of Alertmanager's groups in one Slack thread, as a service of its own."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        os.execv(sys.executable, [sys.executable, "-m", "tocsin", "threader", *argv[2:]])

    def handle(self, *args: Any, **options: Any) -> None:
        self.run_from_argv(["tocsin", "threader"])
