"""The container's health check, in an image without curl: exits with 0 when the web process answers."""

import http.client
import os
import ssl
import sys
from typing import Final

PATH: Final = "/api/healthz"
SECONDS: Final = 3.0


def healthy() -> bool:
    """Ask once."""
    connection = _connection(int(os.environ.get("TOCSIN_PORT") or 8420))
    try:
        connection.request("GET", PATH)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connection(port: int) -> http.client.HTTPConnection:
    if not os.environ.get("TOCSIN_TLS_CERTIFICATE"):
        return http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    context = ssl.create_default_context()
    context.check_hostname = False  # the certificate is for the name that others call us by
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=SECONDS, context=context)


if __name__ == "__main__":
    sys.exit(not healthy())
