"""Plug-ins are found by being there; other distributions add theirs by entry point."""

from pathlib import Path

import pytest

from tocsin.alerts.drivers import BaseDriver
from tocsin.core.errors import UnknownPlugin
from tocsin.core.registry import Registry

PACKAGE = "tocsin.alerts.drivers"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[BaseDriver]:
    """The alert drivers of an installation that has a third party's distribution beside ours."""
    module = tmp_path / "acme_tocsin.py"
    module.write_text(
        "from tocsin.alerts.drivers.generic import Driver as Generic\n"
        "class Driver(Generic): pass\n"
        "class Impostor: pass\n"
    )
    info = tmp_path / "acme_tocsin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tocsin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{PACKAGE}]\nacme = acme_tocsin:Driver\ngeneric = acme_tocsin:Driver\n"
        "impostor = acme_tocsin:Impostor\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return Registry(PACKAGE, BaseDriver)


def test_ours_and_theirs_are_listed_without_being_imported(registry: Registry[BaseDriver]) -> None:
    assert {"alertmanager", "generic", "acme", "impostor"} <= set(registry.names())
    assert registry.names() == sorted(registry.names())


def test_a_third_partys_plug_in_is_found(registry: Registry[BaseDriver]) -> None:
    assert registry.get("acme").__module__ == "acme_tocsin"


def test_ours_win(registry: Registry[BaseDriver]) -> None:
    assert registry.get("generic").__module__ == f"{PACKAGE}.generic"


def test_what_is_no_plug_in_is_told_apart(registry: Registry[BaseDriver]) -> None:
    with pytest.raises(UnknownPlugin, match="has no class Driver"):
        registry.get("impostor")


@pytest.mark.parametrize("name", ["nope", "", "..", "__init__", "generic.Driver", "../generic"])
def test_an_unknown_name_is_told_the_known_ones(registry: Registry[BaseDriver], name: str) -> None:
    with pytest.raises(UnknownPlugin, match="known: .*alertmanager.*generic"):
        registry.get(name)
