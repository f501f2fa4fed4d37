"""What a server's certificate says of itself. cryptography is loaded only once there is one to read."""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography import x509


class Certificate(msgspec.Struct, frozen=True):
    """Until when it is good, for whom, and who says so."""

    not_after: datetime
    names: tuple[str, ...]
    issuer: str
    self_signed: bool

    def days_left(self, now: datetime) -> float:
        """Days until it expires; below 0 since it has."""
        return (self.not_after - now).total_seconds() / 86_400


def read(der: bytes) -> Certificate:
    """Read a certificate. Raises ValueError."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    found = x509.load_der_x509_certificate(der)
    issuer = found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    said = str(issuer[0].value) if issuer else found.issuer.rfc4514_string()
    return Certificate(found.not_valid_after_utc, _names(found), said, found.issuer == found.subject)


def _names(found: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        others = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return tuple(str(name.value) for name in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    addresses = map(str, others.get_values_for_type(x509.IPAddress))
    return (*others.get_values_for_type(x509.DNSName), *addresses)
