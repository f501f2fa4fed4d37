"""``tocsin agent``, for ``tocsin help``'s list; the console command starts it without loading Django."""

from tocsin.agent.commands import COMMANDS
from tocsin.web.agent_command import AgentCommand


class Command(AgentCommand):
    name = "agent"
    help = COMMANDS[name].help
