"""Runs a command in this process and gives what it printed."""

from io import StringIO
from typing import Any

import msgspec
from django.core.management import call_command


def tocsin(*arguments: str) -> str:
    """What people read. Raises CommandError as the command does."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def tocsin_json(*arguments: str) -> Any:
    """The one JSON document that programs read."""
    return msgspec.json.decode(tocsin(*arguments, "--json"))
