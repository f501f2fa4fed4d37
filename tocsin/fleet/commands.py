"""Commands that agents are asked to run: asked, taken, ended. The only code that writes them.

An agent runs nothing but what its own configuration allows; what it allows it says each time that it asks.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from django.db import transaction
from django.db.models import Q

from tocsin.core import log
from tocsin.core.ids import new_id
from tocsin.core.labels import encode
from tocsin.db import bulk
from tocsin.db.thinning import Walk, drop
from tocsin.fleet.models import Command, Instance

logger = log.get(__name__)

LONGEST_OUTPUT: Final = 70_000  # an agent keeps 65,536 bytes
LONGEST_REASON: Final = 2_000
LONGEST_VALUE: Final = 1_000  # as agents have it
LISTENING: Final = timedelta(minutes=5)  # that it still asks is put down so often
MOST_NAMED: Final = 10
_TABLE: Final = "fleet_command"
_OVER: Final = "expires_at < %s"
_old = Walk(_TABLE, made="asked_at", free=_OVER, first="")
_COLUMNS: Final = (
    "id", "instance_id", "machine", "name", "arguments", "run_id", "node", "trace_id", "state", "asked_at",
    "expires_at", "taken_by", "output", "reason",
)  # fmt: skip

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9._-]+\Z")]


class Order(msgspec.Struct):
    """A command about to be asked for."""

    instance: Instance
    name: str
    arguments: dict[str, str]
    run_id: str
    node: str
    trace_id: str
    expires_at: datetime


class Offer(msgspec.Struct):
    """What an agent allows: a command's name, and the pattern of each of its arguments."""

    name: Name
    description: Annotated[str, msgspec.Meta(max_length=300)] = ""
    arguments: dict[Name, Annotated[str, msgspec.Meta(max_length=2_000)]] = {}


class Ended(msgspec.Struct):
    """How one ended, as its agent tells."""

    id: Annotated[str, msgspec.Meta(max_length=32)]
    state: Literal["done", "failed", "refused", "expired", "interrupted"]
    exit_code: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    output: str = ""
    reason: str = ""
    took_seconds: float = 0.0


def instances(names: Collection[str]) -> dict[str, Instance]:
    """Those of these instances that there are, by name."""
    wanted = [name for name in names if name.isprintable()]
    columns = ("instance_id", "allows", "key_digest", "key_revoked_at")
    return {
        found.instance_id: found for found in Instance.objects.filter(instance_id__in=wanted).only(*columns)
    }


def refusal(found: Instance | None, machine: str, name: str, arguments: Mapping[str, str]) -> str:
    """Why it is no use to ask, for people; empty where it is some."""
    if found is None:
        return f"there is no instance {machine[:64]!r}"
    if not found.key_digest or found.key_revoked_at is not None:
        return f"{machine} has no key of its own, without which it takes no commands: enrol it"
    if name not in found.allows:
        allowed = sorted(found.allows)
        told = ", ".join(allowed[:MOST_NAMED]) + (", …" if len(allowed) > MOST_NAMED else "")
        return f"{machine} does not allow {name!r}; it allows {told or 'nothing'}"
    wanted = found.allows[name].get("arguments", {})
    if wanted.keys() != arguments.keys():
        return f"the arguments of {name} on {machine} are: {', '.join(sorted(wanted)) or 'none'}"
    longest = next((key for key, value in arguments.items() if len(value) > LONGEST_VALUE), None)
    return f"the argument {longest} is longer than {LONGEST_VALUE} characters" if longest else ""


def ask(orders: Sequence[Order], now: datetime) -> None:
    """Put down what is asked for. Call it in the transaction that advances the runs."""
    rows = []
    for order in orders:
        id = new_id()
        rows.append(
            (id, order.instance.pk, order.instance.instance_id, order.name, encode(order.arguments).decode(),
             order.run_id, order.node, order.trace_id, Command.ASKED, bulk.moment(now),
             bulk.moment(order.expires_at), "", "", "")
        )  # fmt: skip
        logger.info("command.asked", command_id=id, command=order.name, instance=order.instance.instance_id,
                    arguments=order.arguments, run_id=order.run_id, trace_id=order.trace_id)  # fmt: skip
    bulk.insert(Command, _COLUMNS, rows, ignore=True)


def of_runs(run_ids: Iterable[str], node: str) -> dict[str, Command]:
    """What a node asked for in these runs, by run."""
    return {row.run_id: row for row in Command.objects.filter(run_id__in=list(run_ids), node=node)}


def listen(instance: Instance, offers: Sequence[Offer], now: datetime) -> None:
    """An agent is there for commands, and these are what it allows."""
    allows = {
        offer.name: {"description": offer.description, "arguments": offer.arguments} for offer in offers
    }
    if allows != instance.allows or instance.listened_at is None or now - instance.listened_at >= LISTENING:
        Instance.objects.filter(pk=instance.pk).update(allows=allows, listened_at=now)


def listening(now: datetime) -> int:
    """How many agents ask for commands."""
    return Instance.objects.filter(listened_at__gt=now - 2 * LISTENING).count()


def take(instance: Instance, agent: str, now: datetime) -> list[Command]:
    """The next command for an instance, which is its agent's from now on. It is given again to the same
    process alone, as its answer may have been lost: another one would run it twice."""
    its = Q(state=Command.TAKEN, taken_by=agent) | Q(state=Command.ASKED)
    found = Command.objects.filter(its, instance=instance, expires_at__gt=now)
    command = found.order_by("-state", "pk").first()  # what is taken before what is asked
    if command is None:
        return []
    if command.state == Command.TAKEN:
        return [command]
    mine = {"state": Command.TAKEN, "taken_at": now, "taken_by": agent}
    if not Command.objects.filter(pk=command.pk, state=Command.ASKED).update(**mine):
        return []  # another process of that agent came first
    logger.info("command.taken", **_named(command))
    return [command]


def asked_of(instance: Instance, command_id: str) -> Command | None:
    """The one of that id, if it is this instance that was asked."""
    if "\0" in command_id:
        return None
    return Command.objects.filter(pk=command_id, instance=instance).first()


def end(command: Command, told: Ended, now: datetime) -> bool:
    """Put down how one ended; say whether that is news. What came too late is put down too."""
    with transaction.atomic():
        row = Command.objects.select_for_update().get(pk=command.pk)
        if row.state not in (*Command.OPEN, Command.EXPIRED) or row.finished_at is not None:
            return False
        row.state, row.finished_at, row.exit_code = told.state, now, told.exit_code
        row.output, row.reason = _text(told.output[-LONGEST_OUTPUT:]), _text(told.reason[:LONGEST_REASON])
        row.took_seconds = max(0.0, min(told.took_seconds, 1e9))
        row.save()
    logger.info("command.ended", state=row.state, exit_code=row.exit_code, reason=row.reason, **_named(row))
    return True


def expire(now: datetime, limit: int = 500) -> int:
    """End those that nobody took in time; return how many."""
    late = Command.objects.filter(state=Command.ASKED, expires_at__lte=now)
    keys = list(late.values_list("pk", flat=True)[:limit])
    if not keys:
        return 0
    told = {"state": Command.EXPIRED, "reason": "nobody took it in time"}
    return Command.objects.filter(pk__in=keys, state=Command.ASKED).update(**told)


def drop_old(before: datetime, most: int) -> int:
    """Let go of those for which nobody waited any more before then; return how many."""
    keys = _old.find(before, most)
    if not keys:
        return 0
    where, params = bulk.among("id", keys)
    with bulk.transaction():
        return drop(_TABLE, f"{where} AND {_OVER}", [*params, bulk.moment(before)], most)


def _named(command: Command) -> dict[str, Any]:
    return {"command_id": command.pk, "command": command.name, "instance": command.machine,
            "run_id": command.run_id, "trace_id": command.trace_id}  # fmt: skip


def _text(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
