"""How a channel is set up besides its driver's config, whoever says so: a page, the API or a command."""

from typing import Any, Final

import msgspec

from tocsin.core.errors import Rejected
from tocsin.notify.drivers import BaseDriver, drivers
from tocsin.notify.models import NotificationChannel
from tocsin.notify.written import Written

LONGEST_NAME: Final = 100
FASTEST: Final = 100_000  # messages a minute
MOST_WAITING: Final = 1_000_000
TEMPLATES: Final = ("subject_template", "body_template")


class Wrong(Rejected):
    """A field that cannot be used; the message names it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left empty is as the driver has it. ``fallback`` is the name of another channel."""

    mode: str = ""
    per_minute: float | None = None
    digest_above: int | None = None
    fallback: str = ""
    send_resolved: bool = True
    subject_template: str = ""
    body_template: str = ""


def setup_of(channel: NotificationChannel) -> Setup:
    """How a channel is set up."""
    fallback = channel.fallback.name if channel.fallback else ""
    own = {name: getattr(channel, name) for name in Setup.__struct_fields__ if name != "fallback"}
    return Setup(fallback=fallback, **own)


def columns(setup: Setup, driver: str, channel: NotificationChannel | None = None) -> dict[str, Any]:
    """A set-up as a channel's row has it; ``channel`` is the one that is changed. Raises Wrong."""
    kind: type[BaseDriver[Any]] = drivers.get(driver)
    if setup.mode and setup.mode not in kind.modes:
        raise Wrong("mode", f"{driver} has no mode {setup.mode[:40]!r}; it has {', '.join(kind.modes)}")
    if setup.per_minute is not None and not 0 < setup.per_minute <= FASTEST:
        raise Wrong("per_minute", f"it must be above 0, and at most {FASTEST:,}")
    if setup.digest_above is not None and not 0 <= setup.digest_above <= MOST_WAITING:
        raise Wrong("digest_above", f"it must be 0 to {MOST_WAITING:,}")
    check_templates(setup.subject_template, setup.body_template)
    given = msgspec.structs.asdict(setup)
    return {**given, "fallback": _fallback(setup.fallback, channel)}


def check_templates(subject: str, body: str) -> None:
    """Whether these can be kept. Raises Wrong, with the line."""
    for field, why in Written(subject, body).problems().items():
        raise Wrong(f"{field}_template", why)


def check_name(name: str) -> str:
    """A channel's name. Raises Wrong."""
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Wrong("name", f"it must be 1 to {LONGEST_NAME} printable characters")
    return name


def _fallback(name: str, channel: NotificationChannel | None) -> NotificationChannel | None:
    """The channel of that name, unless those that stand in for it lead back to the one that is changed."""
    if not name:
        return None
    found: NotificationChannel | None = (
        NotificationChannel.objects.defer("config").filter(name=name).first() if "\0" not in name else None
    )
    if found is None:
        raise Wrong("fallback", f"there is no channel named {name[:LONGEST_NAME]!r}")
    if channel is not None:
        _check_circle(found, channel)
    return found


def _check_circle(fallback: NotificationChannel, channel: NotificationChannel) -> None:
    if fallback.pk == channel.pk:
        raise Wrong("fallback", "a channel cannot stand in for itself")
    leads = dict(NotificationChannel.objects.values_list("pk", "fallback_id"))
    seen: set[int] = set()
    step: int | None = fallback.pk
    while step is not None and step not in seen:
        if step == channel.pk:
            raise Wrong("fallback", f"{fallback} leads back to this channel by its own fallback")
        seen.add(step)
        step = leads.get(step)
