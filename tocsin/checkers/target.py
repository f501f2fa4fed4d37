"""What a monitor looks at, in words and by its host; read from its checker's options."""

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from tocsin.checkers.checks import Options
from tocsin.checkers.dial import host_and_port
from tocsin.checkers.fetch import shown
from tocsin.core.errors import Rejected

LONGEST = 255


class Target(msgspec.Struct, frozen=True):
    """``told`` is for people; ``host`` is empty where it looks at the machine it runs on, or at several."""

    told: str = ""
    host: str = ""


def read(options: Options) -> Target:
    """What these options look at. A URL is told without its query, which may hold a key."""
    given = dict(options)
    found = _of_url(given.get("url")) or _of_hosts(given) or _of_name(given) or _of_dsn(given.get("dsn"))
    if found is None:
        named = (given.get(name) for name in ("servers", "paths", "units", "names"))
        found = Target(next((_told(value) for value in named if isinstance(value, list) and value), ""))
    return Target(found.told[:LONGEST], found.host[:LONGEST])


def _of_url(url: object) -> Target | None:
    return Target(shown(url), _host_of(url)) if isinstance(url, str) and url else None


def _of_hosts(given: dict[str, object]) -> Target | None:
    one, many = given.get("host"), given.get("hosts")
    if isinstance(one, str) and one:
        told = f"[{one}]" if ":" in one else one
        return Target(f"{told}:{given['port']}" if given.get("port") else told, one)
    if not isinstance(many, list) or not many:
        return None
    hosts = {_bare(str(each)) for each in many}
    return Target(_told(many), hosts.pop() if len(hosts) == 1 else "")


def _of_name(given: dict[str, object]) -> Target | None:
    name = given.get("name")
    return Target(name, name) if isinstance(name, str) and name else None


def _of_dsn(dsn: object) -> Target | None:
    if not isinstance(dsn, SecretStr):
        return None
    host = _host_of(dsn.get_secret_value())
    return Target(host, host)


def _host_of(url: str) -> str:
    with suppress(ValueError):
        return urlsplit(url).hostname or ""
    return ""


def _bare(host: str) -> str:
    """A host without its port."""
    with suppress(Rejected):
        return host_and_port(host, 1)[0]
    return host


def _told(many: Sequence[object]) -> str:
    return ", ".join(map(str, many))
