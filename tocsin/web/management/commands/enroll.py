"""``tocsin enroll``, for ``tocsin help``'s list; the console command starts it without loading Django."""

from tocsin.agent.commands import COMMANDS
from tocsin.web.agent_command import AgentCommand


class Command(AgentCommand):
    name = "enroll"
    help = COMMANDS[name].help
