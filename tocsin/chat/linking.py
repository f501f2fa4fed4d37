"""Who a member of a workspace is here: told by themselves, signed in, by a link that only they were shown.

The link holds what they pressed, so that it is done once it is known who they are.
"""

from typing import Final

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing

from tocsin.accounts import services as accounts
from tocsin.accounts.models import ChatIdentity
from tocsin.chat.payloads import Who
from tocsin.core.errors import Rejected

GOOD_FOR: Final = 15 * 60
_SALT: Final = "tocsin.chat.link"


class Pressed(msgspec.Struct, frozen=True):
    """A button, and by what this press of it is known again."""

    action_id: str
    value: str
    key: str


class Link(msgspec.Struct, frozen=True):
    """What a link says."""

    who: Who
    pressed: Pressed | None = None


def person(who: Who) -> User | None:
    """Who somebody is here, active or not; None where that is not known."""
    if not (who.team and who.member):
        return None
    return accounts.member_of_chat(service=ChatIdentity.SLACK, team=who.team, member=who.member)


def url_for(who: Who, pressed: Pressed | None = None) -> str:
    """Where somebody says who they are, within ``GOOD_FOR`` seconds."""
    token = signing.dumps(msgspec.to_builtins(Link(who, pressed)), salt=_SALT, compress=True)
    return f"{settings.PUBLIC_URL}/chat/link/{token}/"


def read(token: str) -> Link:
    """What a link says. Raises Rejected for one that is too old, or that nobody here made."""
    try:
        return msgspec.convert(signing.loads(token, salt=_SALT, max_age=GOOD_FOR), Link)
    except signing.SignatureExpired as error:
        raise Rejected("this link is too old; press the button in Slack again") from error
    except (signing.BadSignature, msgspec.ValidationError, ValueError) as error:
        raise Rejected("this link is not whole") from error
