"""What a client checks of a certificate is read once, and anew where its file changes."""

import os
import ssl
from pathlib import Path

import pytest

from tests.checkers.authority import Authority
from tocsin.checkers.dial import tls_context
from tocsin.core.errors import Rejected


def test_a_context_is_read_once() -> None:
    assert tls_context(True) is tls_context(True)
    assert tls_context(True).verify_mode is ssl.CERT_REQUIRED
    assert tls_context(False).verify_mode is ssl.CERT_NONE, "and is not taken for the other"
    assert tls_context(True).check_hostname


def test_a_file_that_changes_counts_at_once(tmp_path: Path) -> None:
    file = Authority(tmp_path).file
    first = tls_context(True, str(file))
    assert tls_context(True, str(file)) is first
    os.utime(file, (1, 1))
    assert tls_context(True, str(file)) is not first


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    for _ in range(2):
        with pytest.raises(Rejected, match="ca_file .*ca.pem"):
            tls_context(True, str(file))
