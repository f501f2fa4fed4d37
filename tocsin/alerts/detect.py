"""Which driver a payload is for, when its sender did not say."""

import re

from tocsin.alerts import document
from tocsin.alerts.drivers import drivers
from tocsin.core.errors import Rejected


def detect(body: bytes) -> str:
    """The name of the driver that a body fits best; the more specific wins.

    Raises Rejected, which says what was tried and why each refused.
    """
    payload = document.read(body)
    scores = {name: drivers.get(name)().fits(payload) for name in drivers.names()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] == 0:
        raise Rejected(
            "no driver reads this payload; an alert needs at least a name: post "
            '{"name": "…", "status": "firing", "severity": "critical"}, or name the driver in the URL. '
            f"Tried {'; '.join(f'{name}: {_refusal(name, body)}' for name in scores)}"
        )
    return best


def _refusal(name: str, body: bytes) -> str:
    try:
        drivers.get(name)().parse(body)
    except Rejected as error:
        return str(error)
    return "not its shape"


def tried(refusal: str) -> tuple[str, list[tuple[str, str]]]:
    """A refusal of ``detect`` taken apart for people: what it says of the payload, and each driver with
    why it refused. Any other refusal has no such list."""
    general, _, reasons = refusal.partition(" Tried ")
    parts = re.split(rf"(?:^|; )({'|'.join(drivers.names())}): ", reasons)
    return general, list(zip(parts[1::2], parts[2::2], strict=True))
