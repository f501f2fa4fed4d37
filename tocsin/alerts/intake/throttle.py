"""Failed authentication, by address: who keeps guessing is told to wait. Good credentials always pass."""

from collections import OrderedDict
from time import monotonic
from typing import Final

TRIES: Final = 30  # failures that an address has at once
SECONDS_EACH: Final = 2.0  # until one more is given back
MOST_ADDRESSES: Final = 10_000


class Throttle:
    """Counts failures; what is forgotten first is who failed longest ago."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # failures left over, and when

    def wait(self, address: str) -> int:
        """Count a failure; return the seconds to wait, 0 while tries are left."""
        now = monotonic()
        spent, at = self._spent.pop(address, (0.0, now))
        spent = max(0.0, spent - (now - at) / SECONDS_EACH)
        if spent + 1 > TRIES:
            self._spent[address] = (spent, now)
            return max(1, round((spent + 1 - TRIES) * SECONDS_EACH))
        self._spent[address] = (spent + 1, now)
        if len(self._spent) > MOST_ADDRESSES:
            self._spent.popitem(last=False)
        return 0
