"""Which version this is."""

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Tocsin's version."""
    return metadata.version("tocsin")
