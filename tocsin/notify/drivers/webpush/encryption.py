"""A message that a browser alone can read: one record of aes128gcm (RFC 8188), under keys agreed on with
the browser's (RFC 8291)."""

import os
import struct
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tocsin.notify.drivers.webpush import keys

MAX_PLAIN: Final = 3_993  # what the 4,096 bytes hold that a push service takes
_RECORD: Final = 4_096


def encrypted(body: bytes, theirs: bytes, auth: bytes) -> bytes:
    """A body for the browser with that public key and secret."""
    salt, ours = os.urandom(16), ec.generate_private_key(ec.SECP256R1())
    point = keys.point(ours.public_key())
    shared = ours.exchange(ec.ECDH(), keys.public(theirs))
    secret = _derived(shared, auth, b"WebPush: info\0" + theirs + point, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + struct.pack("!IB", _RECORD, len(point)) + point
    return header + AESGCM(key).encrypt(nonce, body + b"\x02", None)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)
