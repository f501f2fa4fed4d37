"""Settings from the environment: what they mean, and what is said of those that cannot be used."""

import socket
import stat
from pathlib import Path

import pytest

from tocsin.core import config
from tocsin.core.errors import Misconfigured


@pytest.mark.parametrize("said", ["1", "true", "YES", " on "])
def test_yes(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("NOTIFY_SKIP_ALL", said)
    assert config.flag("NOTIFY_SKIP_ALL") is True


@pytest.mark.parametrize("said", ["0", "false", "No", "off", "", "  "])
def test_no(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("NOTIFY_SKIP_ALL", said)
    assert config.flag("NOTIFY_SKIP_ALL") is False


def test_neither_yes_nor_no_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SKIP_ALL", "maybe")
    with pytest.raises(Misconfigured, match="NOTIFY_SKIP_ALL='maybe'.*use 1 or 0"):
        config.flag("NOTIFY_SKIP_ALL")


@pytest.mark.parametrize("said", ["x", "-1", "1.5", "1e3", "²"])
def test_what_is_no_number_names_the_setting(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("TOCSIN_PORT", said)
    with pytest.raises(Misconfigured, match="TOCSIN_PORT"):
        config.number("TOCSIN_PORT")


def test_what_is_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_PORT", raising=False)
    assert config.number("TOCSIN_PORT") == 8420
    monkeypatch.setenv("TOCSIN_PORT", "")
    assert config.number("TOCSIN_PORT") == 8420


def test_a_list_is_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKERS_SKIP", " cpu, ,memory,")
    assert config.words("CHECKERS_SKIP") == ["cpu", "memory"]


def test_every_setting_is_declared_once_with_its_meaning() -> None:
    names = [variable.name for variable in config.VARIABLES]
    assert len(names) == len(set(names))
    assert all(variable.meaning for variable in config.VARIABLES)
    with pytest.raises(KeyError):
        config.text("TOCSIN_UNDECLARED")


def test_a_secret_is_made_once_and_kept_to_ourselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path / "data"))
    made = config.kept_secret("a-key", "")
    assert len(made) >= 48
    assert config.kept_secret("a-key", "") == made
    assert config.kept_secret("a-key", "given") == "given"
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "a-key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("::1", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("", True), ("127.example.com", False),
    ],
)  # fmt: skip
def test_who_can_reach_us_is_told_by_the_address(
    monkeypatch: pytest.MonkeyPatch, host: str, loopback: bool
) -> None:
    monkeypatch.setenv("TOCSIN_HOST", host)
    assert config.bound_to_loopback() is loopback


def test_the_public_url_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_PUBLIC_URL", "https://tocsin.example.com/")
    assert config.public_url() == "https://tocsin.example.com"
    assert "tocsin.example.com" in config.own_hosts()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_links_name_the_machine_where_it_listens_everywhere(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("TOCSIN_HOST", host)
    assert config.public_url() == f"http://{socket.gethostname()}:8420"


def test_a_drivers_secret_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_ALERTMANAGER", " s3cret ")
    assert config.webhook_secret("alertmanager") == "s3cret"
    assert config.webhook_secret("generic") == ""
