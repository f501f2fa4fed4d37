"""Certificates as servers have them: by an authority of their own, for any name and any time."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Greeting = Callable[[socket.socket], None]


class Authority:
    """Issues certificates; ``file`` is what a client must trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Test authority")
        made = self._signed(self._name, self._key, 30).add_extension(x509.BasicConstraints(True, None), True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, days: float = 30) -> Path:
        """A certificate with its key, good for so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._signed(_named(names[0]), key, days)
        others = x509.SubjectAlternativeName([_general(name) for name in names])
        made = builder.add_extension(others, False).sign(self._key, hashes.SHA256())
        plain, pem = serialization.NoEncryption(), serialization.Encoding.PEM
        path = self._folder / f"{names[0]}-{days}.pem"
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        path.write_bytes(secret + made.public_bytes(pem))
        return path

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float
    ) -> x509.CertificateBuilder:
        end = datetime.now(UTC) + timedelta(days=days)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(end, datetime.now(UTC)) - timedelta(days=1))
            .not_valid_after(end)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextmanager
def tls_server(certificate: Path, greet: Greeting = lambda connection: None) -> Iterator[int]:
    """A server that does no more than to show its certificate; gives its port. ``greet`` comes before."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                greet(connection)
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
