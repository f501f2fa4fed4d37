"""A mail through SendGrid. https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send"""

from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any, Final

import msgspec

from tocsin.core import clock
from tocsin.core.errors import Unclear
from tocsin.core.http import Client, Response
from tocsin.notify.answer import require_no_page
from tocsin.notify.drivers.email.config import Config

ACCEPTED: Final = 202
# SendGrid sets the others itself, and refuses most of them.
_HEADERS: Final = ("In-Reply-To", "References", "X-Correlation-Id")


async def send(mail: EmailMessage, config: Config, http: Client, timeout: float) -> str:
    """Post a mail; return what SendGrid calls it. Raises Unavailable or Rejected."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {config.sendgrid_api_key.get_secret_value()}",
    }
    url = f"{config.sendgrid_url.rstrip('/')}/v3/mail/send"
    response = await http.post(url, msgspec.json.encode(posted(mail)), headers, timeout)
    response.require_success(_until_reset(response))
    require_no_page(response)
    if response.status != ACCEPTED:
        raise Unclear(f"HTTP {response.status}, where SendGrid says {ACCEPTED}: {response.text()}")
    return f"accepted, {response.headers.get('x-message-id', 'no id')}"


def posted(mail: EmailMessage) -> dict[str, Any]:
    """A mail as SendGrid takes it. It shall not lead links over itself: some of them are secret."""
    parts = [part for part in mail.walk() if not part.is_multipart()]
    return {
        "personalizations": [{"to": _addresses(mail["To"])}],
        "from": _addresses(mail["From"])[0],
        "subject": str(mail["Subject"]),
        "content": [{"type": part.get_content_type(), "value": part.get_content()} for part in parts],
        "headers": {name: str(mail[name]) for name in _HEADERS if mail[name]},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
        },
    }


def _addresses(header: str) -> list[dict[str, str]]:
    """Each address once: SendGrid refuses a mail that names one twice."""
    found = {address.casefold(): (name, address) for name, address in getaddresses([str(header)])}
    return [{"email": address} | ({"name": name} if name else {}) for name, address in found.values()]


def _until_reset(response: Response) -> float | None:
    """Seconds until a limit that is reached is lifted."""
    at = response.headers.get("x-ratelimit-reset", "")
    return max(0.0, float(at) - clock.now().timestamp()) if at.isdecimal() else None
