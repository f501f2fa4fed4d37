"""How the pages word what jobs tell."""

from django import template

from tocsin.fleet.schedule import lasting

register = template.Library()


@register.filter
def lasted(seconds: float) -> str:
    """How long a run took: ``0.4 s``, ``12 min 3 s``."""
    return f"{seconds:.1f} s" if seconds < 10 else lasting(round(seconds))


@register.filter
def last_line(text: str) -> str:
    """The last line of what a job printed."""
    return next(reversed(text.strip().splitlines()), "")
