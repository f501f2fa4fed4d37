"""What keeps the house honest."""

import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.db import models

import tocsin
from tocsin.alerts.drivers import drivers
from tocsin.core.config import VARIABLES, Variable

ROOT = Path(__file__).parent.parent
VAGUE = {"helper", "helpers", "util", "utils", "misc", "common", "manager", "handler", "processor", "dto"}
OURS = sorted(name for name, app in get_commands().items() if str(app).startswith("tocsin."))


def env_sample() -> str:
    """What ``.env.sample`` must hold: every variable, its meaning and its default."""
    head = (
        "# Every setting with its default. Copy to .env and change what you need; the process' own\n"
        "# environment wins. An empty value stands for the default.\n"
    )
    return head + "".join(f"\n# {variable.meaning}\n{_line(variable)}\n" for variable in VARIABLES)


def _line(variable: Variable) -> str:
    line = f"{variable.name}={variable.default}"
    return f"# {line}" if "<" in variable.name else line  # one for each driver: no shell takes that name


def test_env_sample_lists_every_setting() -> None:
    assert (ROOT / ".env.sample").read_text() == env_sample(), (
        "write what env_sample() gives into .env.sample"
    )


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_settings_are_named_and_explained(variable: Variable) -> None:
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*(<DRIVER>)?", variable.name)
    assert len(variable.meaning) > 10


def test_every_setting_that_is_read_is_declared() -> None:
    read = re.compile(
        r"""config\.(?:text|flag|number|words)\(\s*"([A-Z_]+)"|environ(?:\.get\(|\[)"([A-Z_]+)"""
    )
    internal = {
        "TOCSIN_LIFELINE", "PROMETHEUS_MULTIPROC_DIR", "DJANGO_SETTINGS_MODULE", "XDG_DATA_HOME",
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "PATH", "PYTHONPATH",
    }  # fmt: skip
    declared = {variable.name for variable in VARIABLES} | internal
    for path in (ROOT / "tocsin").rglob("*.py"):
        for found in read.findall(path.read_text()):
            assert declared.issuperset(filter(None, found)), f"{path.relative_to(ROOT)} reads {found}"


@pytest.mark.parametrize("driver", drivers.names())
def test_every_alert_driver_has_a_recorded_payload(driver: str) -> None:
    folder = ROOT / "tests" / "fixtures" / "drivers" / driver
    assert any(folder.glob("*")), (
        f"put a payload of {driver} and what it should give into {folder.relative_to(ROOT)}"
    )


def floors() -> dict[str, int]:
    """Each package's floor, the ground floor 0, as the import contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {name.strip(): floor for floor, layer in enumerate(reversed(layers)) for name in layer.split("|")}


def foreign_keys() -> Iterator[tuple[type[models.Model], "models.ForeignKey[Any, Any]", type[models.Model]]]:
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and field.remote_field.model is not None:
                yield model, field, field.remote_field.model


def package(model: type[models.Model]) -> str:
    return model.__module__.split(".")[1] if model.__module__.startswith("tocsin.") else ""


def test_foreign_keys_point_to_the_same_or_a_lower_floor() -> None:
    floor = floors()
    ours = [key for key in foreign_keys() if package(key[0])]
    assert len(ours) > 5
    for model, field, target in ours:
        if package(target):  # Django's own models lie below all of ours
            assert floor[package(target)] <= floor[package(model)], f"{model.__name__}.{field.name} points up"


def test_siblings_have_no_foreign_keys_to_each_other() -> None:
    floor = floors()
    for model, field, target in foreign_keys():
        here, there = package(model), package(target)
        if here and there and here != there:
            assert floor[here] != floor[there], f"{model.__name__}.{field.name} points to a sibling"


def test_names_say_what_a_module_does() -> None:
    names = [
        module.name for module in pkgutil.walk_packages(tocsin.__path__, "tocsin.", onerror=lambda _: None)
    ]
    assert len(names) > 50
    for name in names:
        assert not VAGUE.intersection(re.split(r"[._]", name)), f"{name} says nothing of what it does"


def test_names_say_what_a_class_is() -> None:
    vague = re.compile(r"^class (\w*(?:Manager|Helper|Handler|Processor|Util|Utils|DTO)\b)", re.M)
    for path in (ROOT / "tocsin").rglob("*.py"):
        assert not vague.findall(path.read_text()), path.relative_to(ROOT)


@pytest.mark.parametrize("name", OURS)
def test_every_command_says_what_it_does(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    assert command.help.strip().endswith((".", "…")), name
    if name != "up":  # its own parser is in the supervisor
        command.create_parser("tocsin", name).format_help()


def test_help_lists_our_commands() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "tocsin", "help", "--commands"], capture_output=True, text=True, check=True
    )
    assert set(asked.stdout.split()) >= {"up", "web", "worker", "channel", "api_key", "trace", "run_pipeline"}
