"""The certificate that this installation shows to who connects, where it has one."""

import ssl

from tocsin.core import config
from tocsin.core.errors import Misconfigured


def files() -> tuple[str, str] | None:
    """The files of the certificate chain and of its key; None where there is none.

    Raises Misconfigured where they cannot be used.
    """
    certificate = config.text("TOCSIN_TLS_CERTIFICATE")
    if not certificate:
        return None
    key = config.text("TOCSIN_TLS_KEY") or certificate
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "strerror", None) or error
        raise Misconfigured(
            f"TOCSIN_TLS_CERTIFICATE={certificate} with the key in {key} cannot be used: {why}"
        ) from error
    return certificate, key


def server_context() -> ssl.SSLContext | None:
    """What a server wraps its connections with; None where there is no certificate."""
    found = files()
    if found is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*found)
    return context
