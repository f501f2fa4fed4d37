"""The agent's commands: ``agent``, ``push_to_hub`` and ``enroll``."""

import argparse
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from tocsin.agent import enrolment, push, service, settings
from tocsin.agent.holding import Held, hold
from tocsin.agent.version import version
from tocsin.core import config
from tocsin.core.errors import Misconfigured, Rejected, TocsinError, Unavailable

FAILED: Final = 1
MISCONFIGURED: Final = 2
STANDARD_ERROR: Final = 2
PATIENCE: Final = 2.0  # cron may start one while the last is about to end


class Done(NamedTuple):
    """An exit code, and what to print."""

    code: int
    text: str = ""


@dataclass(frozen=True)
class Command:
    """One word behind ``tocsin``."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[dict[str, Any]], Done]


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help="a TOML file (TOCSIN_AGENT_CONFIG, /etc/tocsin/agent.toml)"
    )


def _agent_arguments(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--once", action="store_true", help="check and send once, as push_to_hub does")
    parser.add_argument("--verbose", action="store_true", help="a line for each round and each try")


def _push_arguments(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--dry-run", action="store_true", help="print what would be posted, and post nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--checkers", metavar="NAMES", help="check these only, such as cpu,memory")


def _enroll_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hub", metavar="URL", help="the hub, such as https://tocsin.example.com (HUB_URL)")
    parser.add_argument(
        "--token", required=True, help="a token that the hub has made; good for a short while"
    )
    parser.add_argument(
        "--instance-id", metavar="ID", help="how the hub calls this machine (INSTANCE_ID, its host name)"
    )


def _agent(options: dict[str, Any]) -> Done:
    if options["once"]:
        return _push({**options, "dry_run": False, "json": False, "checkers": None})
    found = _read(options, None)
    detail = say if options["verbose"] else lambda text: None
    with hold(found.folder, "tocsin agent"):
        return Done(service.run(found, say, detail))


def _push(options: dict[str, Any]) -> Done:
    names = options["checkers"]
    only = None if names is None else [name.strip() for name in names.split(",") if name.strip()]
    found = _read(options, only)
    if options["dry_run"]:
        return Done(push.SENT, push.preview(found, say))
    with hold(found.folder, "tocsin push_to_hub", PATIENCE):
        pushed = push.push(found, say)
    return Done(pushed.code, pushed.json() if options["json"] else pushed.text())


def _read(options: dict[str, Any], only: list[str] | None) -> settings.Settings:
    found = settings.read(Path(options["config"]) if options["config"] else None, only)
    for remark in found.remarks:
        say(remark)
    return found


def _enroll(options: dict[str, Any]) -> Done:
    hub = options["hub"] or config.text("HUB_URL")
    if not hub:
        raise Misconfigured("HUB_URL is not set, and no --hub given: it names the hub to enrol with")
    enrolled = enrolment.enrol(
        hub=hub,
        token=options["token"],
        instance_id=options["instance_id"] or config.instance_id(),
        hostname=socket.gethostname(),
        authority=config.text("TOCSIN_HUB_CA"),
        folder=settings.folder(),
    )
    return Done(
        0, f"enrolled with {enrolled.hub} as {enrolled.instance_id}; the key is in {settings.folder()}"
    )


COMMANDS: Final = {
    "agent": Command(
        "Check this machine again and again, and send what is found to the hub.", _agent_arguments, _agent
    ),
    "push_to_hub": Command(
        "Check this machine once, and send what is found to the hub.", _push_arguments, _push
    ),
    "enroll": Command(
        "Trade a token of the hub for a key of this machine's own.", _enroll_arguments, _enroll
    ),
}


def run(name: str, options: dict[str, Any]) -> Done:
    """Run one. Raises TocsinError, OSError."""
    config.load_env_file()
    return COMMANDS[name].run(options)


def say(text: str) -> None:
    """A line on standard error, past Python's buffers: threads that end with the process hold none."""
    line = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    os.write(STANDARD_ERROR, f"tocsin agent: {line}\n".encode("utf-8", "replace"))


def main(arguments: list[str], program: str = "tocsin") -> int:
    """Run the command that these begin with."""
    parser = argparse.ArgumentParser(prog=program, description="Tocsin's agent.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version()}")
    words = parser.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    for name, command in COMMANDS.items():
        command.add_arguments(words.add_parser(name, help=command.help, description=command.help))
    options = vars(parser.parse_args(arguments))
    try:
        done = run(options["command"], options)
    except (Unavailable, Rejected) as error:
        say(str(error))
        return FAILED
    except Held as error:
        say(str(error))
        # systemd starts the agent again: a run of push_to_hub that was slow to end will have ended.
        return FAILED if options["command"] == "agent" else MISCONFIGURED
    except TocsinError as error:
        say(str(error))
        return MISCONFIGURED
    except OSError as error:
        say(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
        return MISCONFIGURED if isinstance(error, PermissionError) else FAILED
    if done.text:
        sys.stdout.write(done.text + "\n")
    return done.code
