"""The ``tocsin`` command: Django's management commands, and without Django those that need none of it."""

import os
import sys

AGENT = ("agent", "push_to_hub", "enroll")


def main() -> None:
    """Run one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.settings")
    os.umask(0o077)  # what Tocsin writes is for its own user: database, keys, logs of what was sent
    if sys.argv[1:2] == ["up"]:
        # The supervisor lives as long as the service: kept small by not loading Django.
        from tocsin.core.supervisor import main as up

        sys.exit(up(sys.argv[2:]))
    if sys.argv[1:2] and sys.argv[1] in AGENT:
        # Small and quick too: cron starts it each minute, on machines that have no Django.
        from tocsin.agent.commands import main as agent

        sys.exit(agent(sys.argv[1:]))
    if sys.argv[1:2] == ["threader"]:
        # A service of its own, which has nothing of Django's.
        from tocsin.threader.service import main as threader

        sys.exit(threader(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
