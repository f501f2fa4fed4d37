"""A posted silence, read as Alertmanager reads it: what is missing is told by its code."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from tocsin.alerts.decoding import UNREADABLE
from tocsin.alerts.silences import Wanted
from tocsin.core import clock, matchers
from tocsin.core.errors import Rejected

REQUIRED, TOO_FEW, WRONG_TYPE = 602, 612, 601
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Invalid(Exception):
    """A body that breaks the API's schema."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Matcher(msgspec.Struct, rename="camel"):
    is_regex: bool | None = None
    name: str | None = None
    value: str | None = None
    is_equal: bool | None = None


class _Silence(msgspec.Struct, rename="camel"):
    comment: str | None = None
    created_by: str | None = None
    ends_at: datetime | None = None
    matchers: list[_Matcher] | None = None
    starts_at: datetime | None = None
    annotations: dict[str, str] | None = None
    id: str | None = None


_decoder = msgspec.json.Decoder(_Silence | None)


def read(body: bytes) -> Wanted:
    """The silence that is asked for. Raises Invalid for a body that is none, Rejected for matchers that
    cannot be."""
    posted = _decoded(body)
    for name in ("comment", "createdBy", "endsAt", "matchers", "startsAt"):
        if getattr(posted, _FIELDS[name]) is None:
            raise Invalid(422, REQUIRED, f"{name} in body is required")
        if name == "matchers" and not posted.matchers:
            raise Invalid(422, TOO_FEW, "matchers in body should have at least 1 items")
    return Wanted(
        matchers=[_matcher(place, given) for place, given in enumerate(posted.matchers or [])],
        starts_at=clock.given(posted.starts_at) or _NEVER,
        ends_at=clock.given(posted.ends_at) or _NEVER,
        created_by=posted.created_by or "",
        comment=posted.comment or "",
        annotations=posted.annotations or {},
        id=posted.id or "",
    )


_FIELDS: Final = dict(zip(_Silence.__struct_encode_fields__, _Silence.__struct_fields__, strict=True))


def _decoded(body: bytes) -> _Silence:
    posted: _Silence | None = None
    if body.strip():
        try:
            posted = _decoder.decode(body)
        except UNREADABLE as error:
            raise Invalid(400, 400, f'parsing silence body from "" failed, because {error}') from error
    if posted is None:
        raise Invalid(422, REQUIRED, "silence in body is required")
    return posted


def _matcher(place: int, given: _Matcher) -> matchers.Matcher:
    for name, value in (("isRegex", given.is_regex), ("name", given.name), ("value", given.value)):
        if value is None:
            raise Invalid(422, REQUIRED, f"matchers.{place}.{name} in body is required")
    equal = given.is_equal is not False
    shape = {"name": given.name, "value": given.value, "isRegex": given.is_regex, "isEqual": equal}
    try:
        return matchers.from_json(shape)
    except Rejected as error:
        pattern = msgspec.json.encode(given.value).decode()
        why = f"invalid regular expression {pattern}: {error}" if given.is_regex and given.name else error
        raise Rejected(f"silence invalid: invalid label matcher {place}: {why}") from error
