"""``tocsin signin_link``: a way in for somebody who has no password, or lost it."""

from typing import Any

import msgspec
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management.base import CommandParser

from tocsin.accounts import services
from tocsin.core import clock, config
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Screen, age
from tocsin.db.command import TellingCommand


class Link(msgspec.Struct):
    """A link that signs its person in, once."""

    user: str
    url: str


class Command(TellingCommand[Link]):
    help = "Print a fresh link that signs one person in, once."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--user", metavar="NAME", default=services.ADMIN, help="whom; default: admin")

    def answer(self, options: dict[str, Any]) -> Link:
        user = _user(options["user"])
        token = services.create_sign_in_link(user=user, now=clock.now())
        return Link(user.get_username(), f"{config.public_url()}/sign-in/{token}/")

    def show(self, found: Link, screen: Screen) -> None:
        now = clock.now()
        screen.line((found.url, "bold"))
        screen.line((f"Signs in {found.user}, once, within {age(now - services.LINK_LIFETIME, now)}.", "dim"))


def _user(name: str) -> User:
    if name == services.ADMIN:
        return services.admin_user()
    user = get_user_model().objects.filter(username=name, is_active=True).first()
    if user is None:
        raise Rejected(f"there is no user named {name!r} who may sign in")
    return user
