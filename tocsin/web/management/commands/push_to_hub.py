"""``tocsin push_to_hub``, for ``tocsin help``'s list; the console starts it without loading Django."""

from tocsin.agent.commands import COMMANDS
from tocsin.web.agent_command import AgentCommand


class Command(AgentCommand):
    name = "push_to_hub"
    help = COMMANDS[name].help
