"""What monitoring plug-ins print: a line for people, and behind a bar the performance data."""

import math
import re
from collections.abc import Iterable
from typing import Final

import msgspec

LONGEST: Final = 1_000
_DATUM: Final = re.compile(r"""\s*(?:'((?:[^']|'')+)'|([^\s='][^=']*))=(\S*)""")
_VALUE: Final = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(.*)")
# What a unit is called at the end of a metric's name, and how many of those one is.
_UNITS: Final[dict[str, tuple[str, float]]] = {
    "": ("", 1), "%": ("percent", 1), "c": ("total", 1),
    "s": ("seconds", 1), "ms": ("seconds", 1e-3), "us": ("seconds", 1e-6), "ns": ("seconds", 1e-9),
    "B": ("bytes", 1), "KB": ("bytes", 2**10), "MB": ("bytes", 2**20), "GB": ("bytes", 2**30),
    "TB": ("bytes", 2**40), "PB": ("bytes", 2**50),
    "KiB": ("bytes", 2**10), "MiB": ("bytes", 2**20), "GiB": ("bytes", 2**30), "TiB": ("bytes", 2**40),
}  # fmt: skip


class Datum(msgspec.Struct, frozen=True):
    """One value with its unit; the ranges of its thresholds and its bounds as they were printed."""

    label: str
    value: float
    unit: str = ""
    warning: str = ""
    critical: str = ""
    minimum: str = ""
    maximum: str = ""


class Output(msgspec.Struct, frozen=True):
    """The line for people, and the data."""

    line: str
    data: tuple[Datum, ...] = ()


def read(output: str) -> Output:
    """Read a plug-in's output. Data may stand behind a bar of the first line, and behind a bar of the
    text below it, from where on every line is data. What is no data is left out."""
    first, _, below = output.strip().partition("\n")
    line, _, data = first.partition("|")
    more = below.partition("|")[2]
    return Output(" ".join(line.split())[:LONGEST], (*_data(data), *_data(more.replace("\n", " "))))


def _data(text: str) -> Iterable[Datum]:
    for quoted, plain, rest in _DATUM.findall(text):
        value, *ranges = rest.split(";")
        number = _VALUE.fullmatch(value.replace(",", "."))
        if number is not None and math.isfinite(float(number[1])):  # U: it could not be found out
            label = quoted.replace("''", "'") or plain.strip()
            yield Datum(label, float(number[1]), number[2], *ranges[:4])


def metrics(data: Iterable[Datum]) -> dict[str, float]:
    """Metrics whose names end in their unit, in seconds and bytes; what has no plain name stands in
    brackets: ``time_seconds``, ``value_bytes[/var]``."""
    return dict(_metric(datum) for datum in data)


def _metric(datum: Datum) -> tuple[str, float]:
    name, size = _UNITS.get(datum.unit, (datum.unit, 1))
    unit = f"_{name}" if name else ""
    if re.fullmatch(r"\w+", datum.label):
        return datum.label + unit, datum.value * size
    return f"value{unit}[{datum.label}]", datum.value * size
