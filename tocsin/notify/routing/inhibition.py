"""Alerts that are not told while others fire: a host that is down says enough for what runs on it."""

from collections.abc import Iterable, Mapping

import msgspec

from tocsin.core.matchers import Matcher, match_all


class InhibitRule(msgspec.Struct, frozen=True):
    """While an alert fires that meets ``source``, those are silent that meet ``target`` and have the same
    values of the labels ``equal``; a label that both lack counts as the same."""

    name: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]

    def inhibits(self, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
        """Whether an alert that fires keeps another silent. Two that are both source and target do not
        silence each other."""
        if not (match_all(self.source, source) and match_all(self.target, target)):
            return False
        if match_all(self.target, source) and match_all(self.source, target):
            return False
        return all(source.get(label, "") == target.get(label, "") for label in self.equal)


def inhibited(
    rules: Iterable[InhibitRule], firing: Iterable[Mapping[str, str]], labels: Mapping[str, str]
) -> bool:
    """Whether an alert with these labels is silent while those others fire."""
    known = list(firing)
    return any(rule.inhibits(source, labels) for rule in rules for source in known)
