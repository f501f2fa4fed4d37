"""A test message by command: what came of it, and how people are told."""

import msgspec

from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Screen
from tocsin.notify import services
from tocsin.notify.models import NotificationChannel


class Tested(msgspec.Struct):
    """A test message that was taken; ``answer`` is the receiver's."""

    driver: str
    channel: str
    answer: str


def send_through(name: str) -> Tested:
    """A test message through a stored channel."""
    channel = NotificationChannel.objects.filter(name=name).first()
    if channel is None:
        raise Rejected(f"there is no channel named {name!r}; see tocsin channel list")
    answer = services.send_test_to(channel=channel, now=clock.now())
    return Tested(channel.driver, channel.name, answer)


def show_tested(found: Tested, screen: Screen) -> None:
    """What the receiver said."""
    to = f"channel {found.channel} ({found.driver})" if found.channel else found.driver
    screen.line(("✓", "green"), f"The test message went to {to}; the receiver said:", found.answer)
