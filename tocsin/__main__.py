"""The ``tocsin`` command: Django's management commands, and ``up``, which runs without Django."""

import os
import sys


def main() -> None:
    """Run one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.settings")
    if sys.argv[1:2] == ["up"]:
        # The supervisor lives as long as the service: kept small by not loading Django.
        from tocsin.core.supervisor import main as up

        sys.exit(up(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
