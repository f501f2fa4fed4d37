"""Which incident an alert belongs to: the values of the grouping labels. Values in, values out."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from tocsin.core.labels import describe, encode


class Group(msgspec.Struct, frozen=True):
    """The alerts that share these label values."""

    key: str
    title: str
    labels: dict[str, str]

    @property
    def described(self) -> str:
        """The labels as people write them."""
        return describe(self.labels, list(self.labels)) or "no grouping label"


def group_of(name: str, labels: Mapping[str, str], group_by: Sequence[str], apart: str = "") -> Group:
    """The group of an alert; a label it lacks counts as empty, its name stands in for ``alertname``.
    ``apart`` keeps it from others of the same values."""
    values = {label: labels.get(label, "") for label in group_by}
    if "alertname" in values:
        values["alertname"] = values["alertname"] or name
    shown = {label: value for label, value in values.items() if value}
    told = [*sorted(values.items()), apart] if apart else sorted(values.items())
    key = hashlib.blake2b(encode(told), digest_size=16).hexdigest()
    return Group(key, _title(name, shown), shown)


def _title(name: str, shown: Mapping[str, str]) -> str:
    subject = shown.get("alertname", name) or "Alert"
    rest = [value for label, value in shown.items() if label != "alertname"]
    return f"{subject} on {', '.join(rest)}"[:255] if rest else subject[:255]
