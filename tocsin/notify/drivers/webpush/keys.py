"""Keys on the curve P-256, as browsers and files write them."""

import base64
import re
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

_BESIDE: Final = re.compile(r"-----[^-]+-----|\s")  # of a PEM file, which a form may have made one line of


def private(text: str) -> ec.EllipticCurvePrivateKey:
    """A private key from PEM or base64url. Raises ValueError, TypeError or UnsupportedAlgorithm."""
    raw = decoded(_BESIDE.sub("", text).replace("+", "-").replace("/", "_"))
    if len(raw) == 32:
        return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    key = load_der_private_key(raw, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("another kind of key")
    return key


def public(point: bytes) -> ec.EllipticCurvePublicKey:
    """A public key from its point. Raises ValueError."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key's point, uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def decoded(text: str) -> bytes:
    """base64url, whose padding is left out. Raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(raw: bytes) -> str:
    """The same the other way round."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
