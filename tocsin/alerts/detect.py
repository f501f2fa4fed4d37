"""Which driver a payload is for, when its sender did not say."""

import msgspec

from tocsin.alerts.decoding import UNREADABLE
from tocsin.alerts.drivers import drivers
from tocsin.core.errors import Rejected


def detect(body: bytes) -> str:
    """The name of the driver that a JSON body fits best; the more specific wins.

    Raises Rejected, which says what was tried.
    """
    try:
        payload = msgspec.json.decode(body)
    except UNREADABLE as error:
        raise Rejected(f"not JSON: {error}") from error
    scores = {name: drivers.get(name)().fits(payload) for name in drivers.names()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] == 0:
        raise Rejected(
            f"no driver reads this payload (tried {', '.join(scores)}); an alert needs at least a name: "
            'post {"name": "…", "status": "firing", "severity": "critical"}, or name the driver in the URL'
        )
    return best
