"""What a source has of its own: by which labels its alerts are grouped, how many incidents it may open."""

from collections.abc import Iterable

import msgspec
from django.conf import settings

from tocsin.core import config
from tocsin.db import bulk

_COLUMNS = ("name", "group_by", "budget")
_words = msgspec.json.Decoder(list[str])


class Rule(msgspec.Struct, frozen=True):
    """``budget`` is a number of incidents a minute, 0 for no limit; ``payer`` is whose it is."""

    payer: str
    group_by: tuple[str, ...]
    budget: int


class Rules:
    """The rules of one batch of changes, read with one query where any came with a source's token."""

    def __init__(self, senders: Iterable[str]) -> None:
        self._group_by = tuple(settings.GROUP_BY)
        self._budget = config.number("TOCSIN_SOURCE_BUDGET")
        self._by_driver: dict[str, Rule] = {}
        self._by_source: dict[str, Rule] = {}
        names = sorted({name for name in senders if name})
        if not names:
            return
        where, params = bulk.among("name", names)
        for name, group_by, budget in bulk.select(_COLUMNS, f"FROM alerts_source WHERE {where}", params):
            by = tuple(_words.decode(group_by)) or self._group_by
            self._by_source[name] = Rule(f"source {name}", by, self._budget if budget is None else budget)

    def of(self, sender: str, driver: str) -> Rule:
        """The rule for what came by a driver, with the token of a source where ``sender`` names one."""
        rule = self._by_source.get(sender) or self._by_driver.get(driver)
        if rule is None:
            rule = self._by_driver[driver] = Rule(driver, self._group_by, self._budget)
        return rule
