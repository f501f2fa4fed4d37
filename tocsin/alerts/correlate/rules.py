"""What a source has of its own: by which labels its alerts are grouped, how many incidents it may open.
Where a source does not say how, the routes do, and else the setting."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec
from django.conf import settings

from tocsin.alerts.correlate.grouping import Group, group_of
from tocsin.core import config
from tocsin.db import bulk

_COLUMNS = ("name", "group_by", "budget")
_words = msgspec.json.Decoder(list[str])


class Grouped(NamedTuple):
    """The labels of a group; ``apart`` tells it from groups of the same labels on other routes."""

    labels: tuple[str, ...]
    apart: str


Grouping = Callable[[Mapping[str, str]], Grouped | None]
_routed: Callable[[], Grouping | None] = lambda: None  # noqa: E731


def group_by_routes(grouping: Callable[[], Grouping | None]) -> None:
    """Whoever routes messages, a floor above, says how alerts are grouped: asked once for each batch."""
    global _routed
    _routed = grouping


class Rule(msgspec.Struct, frozen=True):
    """``budget`` is a number of incidents a minute, 0 for no limit; ``payer`` is whose it is."""

    payer: str
    group_by: tuple[str, ...]
    budget: int
    own: bool = False  # the grouping is the source's


class Rules:
    """The rules of one batch of changes, read with one query, and another where any came with a source's
    token."""

    def __init__(self, senders: Iterable[str]) -> None:
        self._group_by = tuple(settings.GROUP_BY)
        self._grouping = _routed()
        self._budget = config.number("TOCSIN_SOURCE_BUDGET")
        self._by_driver: dict[str, Rule] = {}
        self._by_source: dict[str, Rule] = {}
        names = sorted({name for name in senders if name})
        if not names:
            return
        where, params = bulk.among("name", names)
        for name, group_by, budget in bulk.select(_COLUMNS, f"FROM alerts_source WHERE {where}", params):
            own = tuple(_words.decode(group_by))
            limit = self._budget if budget is None else budget
            self._by_source[name] = Rule(f"source {name}", own or self._group_by, limit, bool(own))

    def of(self, sender: str, driver: str) -> Rule:
        """The rule for what came by a driver, with the token of a source where ``sender`` names one."""
        rule = self._by_source.get(sender) or self._by_driver.get(driver)
        if rule is None:
            rule = self._by_driver[driver] = Rule(driver, self._group_by, self._budget)
        return rule

    def group(self, name: str, severity: str, labels: Mapping[str, str], rule: Rule) -> Group:
        """The group of an alert that came under this rule."""
        if self._grouping is None or rule.own:
            return group_of(name, labels, rule.group_by)
        routed = self._grouping({"alertname": name, "severity": severity, **labels})
        return group_of(name, labels, *(routed or (rule.group_by, "")))
