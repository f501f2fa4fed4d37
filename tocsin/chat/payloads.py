"""What Slack sends when somebody presses a button or sends a form in, as far as it is looked at.

https://docs.slack.dev/reference/interaction-payloads
"""

import hashlib
from typing import Any

import msgspec

from tocsin.core.errors import Rejected


class Named(msgspec.Struct):
    """A workspace or a channel."""

    id: str = ""


class Member(msgspec.Struct):
    """Who did it."""

    id: str
    username: str = ""
    name: str = ""
    team_id: str = ""


class Option(msgspec.Struct):
    """What was chosen from a list."""

    value: str = ""


class Action(msgspec.Struct):
    """One button or list."""

    action_id: str
    action_ts: str = ""
    value: str | None = None
    selected_option: Option | None = None

    @property
    def chosen(self) -> str:
        """The button's value, or that of the option."""
        return self.selected_option.value if self.selected_option else self.value or ""


class State(msgspec.Struct):
    """What a form holds, by block and field."""

    values: dict[str, dict[str, dict[str, Any]]] = {}


class View(msgspec.Struct):
    """A form that was sent in."""

    id: str = ""
    callback_id: str = ""
    private_metadata: str = ""
    state: State | None = None

    def text(self, block: str) -> str:
        """What was written into a block's one field."""
        fields = self.state.values.get(block, {}) if self.state else {}
        return next((str(field.get("value") or "") for field in fields.values()), "")


class Interaction(msgspec.Struct):
    """Somebody did something with a message or a form of ours."""

    type: str
    user: Member
    team: Named | None = None
    channel: Named | None = None
    response_url: str = ""
    trigger_id: str = ""
    actions: list[Action] = []
    view: View | None = None

    @property
    def who(self) -> "Who":
        """Who it was: in a channel that workspaces share, perhaps a member of another."""
        team = self.user.team_id or (self.team.id if self.team else "")
        return Who.of(team, self.user.id, self.user.username or self.user.name)


class Who(msgspec.Struct, frozen=True):
    """A member of a workspace."""

    team: str
    member: str
    name: str = ""

    @classmethod
    def of(cls, team: str, member: str, name: str) -> "Who":
        """As a database takes it."""
        return cls(*(text.replace("\0", "")[:most] for text, most in ((team, 64), (member, 64), (name, 150))))


class Command(msgspec.Struct):
    """``/tocsin`` and what was written behind it."""

    user_id: str
    team_id: str = ""
    user_name: str = ""
    text: str = ""
    response_url: str = ""

    @property
    def who(self) -> Who:
        """Who wrote it."""
        return Who.of(self.team_id, self.user_id, self.user_name)


def interaction(given: bytes | str | dict[str, Any]) -> Interaction:
    """As JSON, or as it was decoded already. Raises Rejected."""
    try:
        if isinstance(given, dict):
            return msgspec.convert(given, Interaction)
        return msgspec.json.decode(given, type=Interaction)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Rejected(f"this is no interaction of Slack's: {error}") from error


def command(given: dict[str, Any]) -> Command:
    """From the form's fields. Raises Rejected."""
    try:
        return msgspec.convert(given, Command)
    except msgspec.ValidationError as error:
        raise Rejected(f"this is no command of Slack's: {error}") from error


def key(*parts: str) -> str:
    """By what a press is known again."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
