"""How the pages word what checkers measured."""

from django import template
from django.template.defaultfilters import filesizeformat

from tocsin.core import terminal
from tocsin.core.durations import lasting

register = template.Library()
register.filter(lasting)


@register.filter
def measured(value: float, metric: str) -> str:
    """A value as people read it, by the unit that its metric's name ends in."""
    unit = metric.partition("[")[0].rpartition("_")[2]
    if unit == "bytes":
        return str(filesizeformat(value))
    if unit == "ms":
        return terminal.took(value) if value else "0 ms"
    plain = f"{value:,.3f}".rstrip("0").rstrip(".")
    return plain + {"percent": " %", "seconds": " s", "left": " d"}.get(unit, "")


@register.filter
def worded(metric: str) -> str:
    """A metric's name for people: ``Latency``, ``Used percent of /var``."""
    name, _, of = metric.partition("[")
    words = name.removesuffix("_ms").removesuffix("_bytes").removesuffix("_seconds").replace("_", " ")
    told = words[:1].upper() + words[1:]
    return f"{told} of {of.rstrip(']')}" if of else told
