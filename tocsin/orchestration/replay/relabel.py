"""Other default labels for a source's alerts, which bear those of then."""

from collections.abc import Mapping

import msgspec

from tocsin.core.labels import encode
from tocsin.orchestration.replay.lines import Change

_labels = msgspec.json.Decoder(dict[str, str])
Labels = Mapping[str, str]


class Relabel:
    """``old`` and ``new`` are default labels by source; of a source that ``old`` lacks they stay."""

    def __init__(self, old: Mapping[str, Labels], new: Mapping[str, Labels]) -> None:
        self._old, self._new = old, new

    def of(self, change: Change) -> str:
        """The labels of a change's alert, as the database has them."""
        old = self._old.get(change.actor)
        if old is None:
            return change.labels
        own = {name: value for name, value in _labels.decode(change.labels).items() if old.get(name) != value}
        return encode({**self._new.get(change.actor, {}), **own}).decode()
