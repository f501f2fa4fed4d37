"""Slack's signature, version 0: who knows the app's signing secret made it over the body and the time.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import re
from datetime import datetime
from typing import Final

MOST_SECONDS: Final = 300
_TIME: Final = re.compile(r"[0-9]{1,12}")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body that was sent then."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def is_slacks(secret: str, timestamp: str, signature: str, body: bytes, now: datetime) -> bool:
    """Whether Slack signed a body, and not too long ago: an old one may be somebody's recording."""
    if not secret or not _TIME.fullmatch(timestamp):
        return False
    if abs(now.timestamp() - int(timestamp)) > MOST_SECONDS:
        return False
    return hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode())
