"""Identifiers: time-ordered, so that they index well and sort by age."""

from uuid_utils import uuid7


def new_id() -> str:
    """A UUIDv7 as 32 hex digits: also a valid W3C trace id."""
    return uuid7().hex
