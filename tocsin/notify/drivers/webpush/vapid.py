"""A server's proof to a push service that a browser subscribed to it (RFC 8292)."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tocsin.notify.drivers.webpush import keys

_LASTS: Final = timedelta(hours=12)  # a day is the most that is taken


def proof(endpoint: str, contact: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> str:
    """The header ``Authorization`` for a request to that endpoint."""
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + _LASTS).timestamp()),
        "sub": contact,
    }
    said = ({"typ": "JWT", "alg": "ES256"}, claims)
    token = ".".join(keys.encoded(msgspec.json.encode(part)) for part in said)
    r, s = decode_dss_signature(key.sign(token.encode(), ec.ECDSA(hashes.SHA256())))
    signature = keys.encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={token}.{signature}, k={keys.encoded(keys.point(key.public_key()))}"
