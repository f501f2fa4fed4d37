"""The reference pages, written from what the code declares: settings, commands, plug-ins."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tocsin.alerts.apis import protocols
from tocsin.alerts.drivers import drivers as alert_drivers
from tocsin.checkers.checks import checkers
from tocsin.core import fields
from tocsin.core.config import VARIABLES
from tocsin.core.fields import Field
from tocsin.core.registry import Registry
from tocsin.intelligence.providers import providers
from tocsin.notify.drivers import drivers as notify_drivers
from tocsin.notify.fields import fields_of
from tocsin.orchestration.nodes import nodes

_NAMED: Final = ("name", "what it does")
_MADE: Final = "<!-- Written by `make docs` from the code. Do not edit. -->\n"
_SETTINGS: Final = """
# Settings

All settings are environment variables. They are read from the process' environment, then from the file
`.env` of the working directory; an empty value stands for the default. `.env.sample` lists all of them,
ready to copy. A change takes effect at the next start.

"""
_COMMANDS: Final = """
# Commands

`tocsin COMMAND` and `python manage.py COMMAND` are the same. Where there is `--json`, the command prints
one JSON document and nothing else. A command that cannot do its work says why on standard error and ends
with exit code 1; an option it does not know ends it with 2. Django's own commands, such as `migrate`,
`createsuperuser` and `changepassword`, are there too: `tocsin help` lists all.
"""
_PLUGINS: Final = """
# Drivers and other plug-ins

A plug-in's name is the name of its file. [Add a driver](../how-to/add-a-driver.md) tells how to write one.
"""
_ALERT_DRIVERS: Final = """
## Alert drivers

They read what monitoring tools post to `/alerts/webhook/<driver>/`.

"""
_PROTOCOLS: Final = """
## Protocols

They take alerts from other systems' clients at the paths that these know, also where a path of your own
stands before it. [HTTP](http.md) tells what they answer.

"""
_CHECKERS: Final = """
## Checkers

The CHECK stage runs cpu, memory and disk of the machine that the worker runs on, with the defaults shown
here. From `warning` on a checker says warning, from `critical` on critical. `tocsin run_check` takes the
settings as options: see [check health](../how-to/check-health.md).
"""
_PROVIDERS: Final = """
## Providers

They turn an incident and the checks into findings, in the ANALYZE stage.

"""
_NOTIFY_DRIVERS: Final = """
## Notify drivers

They send messages. A channel is a driver with its settings: `tocsin channel add NAME --driver DRIVER --set
setting=value …`. All settings are encrypted at rest; those of type secret are never shown again.
"""
_NODES: Final = """
## Nodes

What a [pipeline](../how-to/pipelines.md) is made of: each is a node's `type`, with these settings as its
`config`.
"""


def pages() -> dict[str, str]:
    """Each page's text by its file name."""
    return {"settings.md": settings(), "commands.md": commands(), "drivers.md": plugins()}


def settings() -> str:
    """Every environment variable."""
    rows = [(f"`{v.name}`", f"`{v.default}`" if v.default else "", v.meaning) for v in VARIABLES]
    return _MADE + _SETTINGS + _table(("variable", "default", "meaning"), rows)


def commands() -> str:
    """Every command of ours and its options."""
    ours = sorted(name for name, app in get_commands().items() if str(app).startswith("tocsin."))
    return _MADE + _COMMANDS + "".join(_command(name) for name in ours)


def plugins() -> str:
    """Every plug-in of every kind, also those of other distributions that are installed."""
    return "".join(
        (
            _MADE,
            _PLUGINS,
            _ALERT_DRIVERS + _listed(alert_drivers),
            _PROTOCOLS + _table(_NAMED, [(f"`{api.source}`", _doc(type(api))) for api in protocols()]),
            _CHECKERS + "".join(_checker(name) for name in checkers.names()),
            _PROVIDERS + _listed(providers),
            _NOTIFY_DRIVERS + "".join(_notify_driver(name) for name in notify_drivers.names()),
            _NODES + "".join(_node(name) for name in nodes.names()),
        )
    )


def _command(name: str) -> str:
    command = load_command_class(get_commands()[name], name)
    head = f"\n## {name}\n\n{command.help}\n"
    if name == "up":
        return f"{head}\n```text\n{_help_of_up()}```\n"
    rows = list(_options(command.create_parser("tocsin", name), set(_common())))
    return head + (f"\n{_table(('option', 'default', 'meaning'), rows)}" if rows else "")


def _common() -> Iterator[str]:
    """The options that Django gives to every command."""
    for action in BaseCommand().create_parser("", "")._actions:
        yield from action.option_strings


def _options(parser: argparse.ArgumentParser, common: set[str]) -> Iterator[tuple[str, str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from _words(action, {*common, "--json"})
        elif not common.intersection(action.option_strings):
            yield f"`{_name(action)}`", _default(action), action.help or ""


def _words(action: "argparse._SubParsersAction[Any]", common: set[str]) -> Iterator[tuple[str, str, str]]:
    """What follows a command as a word, such as ``add`` and ``list``, each with its options."""
    meanings = {choice.dest: choice.help or "" for choice in action._choices_actions}
    for word, parser in action.choices.items():
        given = [_name(inner) for inner in parser._actions if not inner.option_strings]
        yield f"`{' '.join([word, *given])}`", "", meanings.get(word, "")
        for option, default, meaning in _options(parser, common):
            if option.startswith("`-"):
                yield f"`{word} … {option[1:]}", default, meaning


def _name(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    if action.choices is not None and not action.metavar:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    if not action.option_strings:
        return f"[{value}]" if action.nargs == "?" else value
    repeated = " …" if action.nargs == "+" else ""
    return f"{action.option_strings[-1]} {value}".strip() + repeated


def _default(action: argparse.Action) -> str:
    plain = isinstance(action.default, str | int) and not isinstance(action.default, bool)
    return f"`{action.default}`" if plain and action.default != argparse.SUPPRESS else ""


def _help_of_up() -> str:
    """Its parser is the supervisor's own, which knows no Django."""
    asked = [sys.executable, "-m", "tocsin", "up", "--help"]
    wide = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(asked, env=wide, check=True, stdout=subprocess.PIPE, text=True).stdout


def _checker(name: str) -> str:
    kind = checkers.get(name)
    return f"\n### {name}\n\n{_doc(kind)}\n\n{_settings(fields.read(kind.Config))}"


def _settings(found: Iterable[Field]) -> str:
    rows = (
        (f"`{f.name}`", f.type, "required" if f.required else f"`{f.default}`" if f.default else "",
         f.description)
        for f in found
    )  # fmt: skip
    return _table(("setting", "type", "default", "meaning"), rows)


def _notify_driver(name: str) -> str:
    kind = notify_drivers.get(name)
    limits = f"At most {kind.concurrency} at a time, each within {kind.timeout:g} s."
    return f"\n### {name}\n\n{_doc(kind)} {limits}\n\n{_settings(fields_of(name))}"


def _node(name: str) -> str:
    kind = nodes.get(name)
    ways = " Left by `next` or `otherwise`." if kind.branches else ""
    settings = _settings(fields.read_deep(kind.Config)) if kind.Config.model_fields else ""
    return f"\n### {name}\n\n{_doc(kind)}{ways}\n{f'{chr(10)}{settings}' if settings else ''}"


def _listed(registry: Registry[Any]) -> str:
    return _table(_NAMED, [(f"`{n}`", _doc(registry.get(n))) for n in registry.names()])


def _doc(kind: type[object]) -> str:
    return (kind.__doc__ or "").strip().partition("\n\n")[0].replace("\n    ", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
