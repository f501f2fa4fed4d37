"""What identifies an alert: its label set, and the fingerprint made of it."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_OFFSET, _PRIME, _MASK = 14695981039346656037, 1099511628211, 0xFFFFFFFFFFFFFFFF

encode = msgspec.json.Encoder().encode


# FNV-1a takes one byte after the other. But xor touches the lowest byte alone, so that over a run of
# n bytes the digest h becomes h * PRIME**n + c, where c depends on h's lowest byte and the run. Pairs
# that recur, such as job="node", are looked up instead of walked.
_steps: dict[tuple[str, str, int], tuple[int, int]] = {}
_STEPS_KEPT: Final = 50_000


def fingerprint(labels: Mapping[str, str]) -> str:
    """The label set's FNV-1a 64 as 16 hex digits, equal to Prometheus' and Alertmanager's.

    Each name and each value is followed by 0xFF, names sorted (prometheus/common, model/signature.go).
    """
    digest = _OFFSET
    for name in sorted(labels):
        value = labels[name]
        key = (name, value, digest & 0xFF)
        factor, constant = _steps.get(key) or _step(key)
        digest = digest * factor + constant & _MASK
    return f"{digest:016x}"


def _step(key: tuple[str, str, int]) -> tuple[int, int]:
    name, value, low = key
    digest, factor = low, 1
    for byte in b"%b\xff%b\xff" % (name.encode(), value.encode()):
        digest = (digest ^ byte) * _PRIME & _MASK
        factor = factor * _PRIME & _MASK
    if len(_steps) >= _STEPS_KEPT:
        _steps.clear()
    _steps[key] = step = factor, digest - low * factor & _MASK
    return step


class Fingerprints:
    """Remembers fingerprints of label sets seen lately: re-sent alerts are most of what arrives."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._known: dict[bytes, str] = {}

    def of(self, labels: Mapping[str, str]) -> tuple[str, bool]:
        """Return the fingerprint, and whether this very label set was seen lately."""
        key = encode(labels)
        found = self._known.get(key)
        if found is not None:
            return found, True
        found = fingerprint(labels)
        if len(self._known) >= self._size:
            self._known.clear()
        self._known[key] = found
        return found, False


def with_name(labels: Mapping[str, str], name: str) -> Mapping[str, str]:
    """Labels as people match on them: the alert's name stands in for a missing ``alertname``."""
    return labels if labels.get("alertname") or not name else {**labels, "alertname": name}


def describe(labels: Mapping[str, str], names: Sequence[str]) -> str:
    """Chosen labels as people write them: ``alertname="HighCPU", instance="web-1"``."""
    return ", ".join(f'{name}="{labels[name]}"' for name in names if labels.get(name))
