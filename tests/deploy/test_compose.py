"""The compose file: valid by its specification, closed by default, and made of Tocsin's own names."""

import re
import subprocess
from pathlib import Path
from typing import Any

import dj_database_url
import jsonschema
import msgspec
import pytest

from tests.deploy.shipped import (
    COMPOSE,
    DATABASES_OWN,
    DEFAULTS,
    NEW_SECRETS,
    OURS,
    ROOT,
    SETTINGS,
    documents,
    image_environment,
    is_secret,
    pinned,
    refuse_unknown_celery,
    refuse_unknown_command,
    seconds_of_a_task,
)
from tocsin.core.config import is_loopback

SCHEMA = jsonschema.Draft202012Validator(
    msgspec.json.decode((ROOT / "tests" / "fixtures" / "compose-spec.json").read_bytes())
)
[FILE] = documents(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
TOCSIN = sorted(name for name, service in SERVICES.items() if service["image"] == OURS)
_USE = re.compile(r"(?<!\$)\$\{(\w+)(:\?|:-|)([^}]*)\}")


def _secrets(folder: Path) -> dict[str, str]:
    """Those of a new installation."""
    file = folder / ".env"
    subprocess.run([str(NEW_SECRETS), str(file)], check=True, timeout=20)
    return dict(line.partition("=")[::2] for line in file.read_text().splitlines())


def test_it_keeps_to_the_specification() -> None:
    SCHEMA.validate(FILE)


@pytest.mark.parametrize("wrong", [{"restart": 5}, {"comand": ["web"]}, {"healthcheck": {"tests": []}}])
def test_the_specification_would_find_a_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(FILE | {"services": {"web": SERVICES["web"] | wrong}})


def test_its_services() -> None:
    assert set(TOCSIN) == {"web", "worker", "celery", "migrate"}
    assert set(SERVICES) - set(TOCSIN) == {"postgres", "redis"}
    for name, service in SERVICES.items():
        assert pinned(service["image"]), f"{name} is not pinned"


@pytest.mark.parametrize("name", TOCSIN)
def test_commands_are_tocsins(name: str) -> None:
    if SERVICES[name].get("entrypoint") == ["celery"]:
        refuse_unknown_celery(SERVICES[name]["command"])
    else:
        assert "entrypoint" not in SERVICES[name], "the image's stays"
        refuse_unknown_command(SERVICES[name]["command"])


@pytest.mark.parametrize("name", TOCSIN)
def test_variables_are_tocsins(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert set(environment) <= SETTINGS
    for variable, value in image_environment().items():
        if variable in SETTINGS:
            assert environment[variable] == value
    assert environment["TOCSIN_PORT"] == DEFAULTS["TOCSIN_PORT"]


def test_it_does_not_start_without_its_secrets(tmp_path: Path) -> None:
    asked = _USE.findall(COMPOSE.read_text())
    refused = {name for name, how, _ in asked if how == ":?"}
    assert refused == set(_secrets(tmp_path)), "new-secrets.sh makes what is asked for, and nothing else"
    for name, how, why in asked:
        assert how == ":?" or not is_secret(name), f"{name} would be empty, or known to all"
        assert how != ":?" or NEW_SECRETS.name in why, f"{name}: tell how it is made"


def test_it_holds_no_secret() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not is_secret(name) or _USE.fullmatch(value), f"{name}={value}"


def test_secrets_are_new_each_time_and_never_overwritten(tmp_path: Path) -> None:
    first = _secrets(tmp_path)
    kept = (tmp_path / ".env").read_bytes()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    again = subprocess.run([str(NEW_SECRETS), str(tmp_path / ".env")], capture_output=True, check=False)
    assert again.returncode != 0
    assert (tmp_path / ".env").read_bytes() == kept
    (tmp_path / "other").mkdir()
    other = _secrets(tmp_path / "other")
    assert first.keys() == other.keys() and first.keys() <= SETTINGS | DATABASES_OWN
    assert not set(first.values()) & set(other.values())
    random = {first[n] for n in first if not n.endswith("_URL")}
    assert len(random) == 4 and all(re.fullmatch(r"[0-9a-f]{64}", value) for value in random)


def test_secrets_fit_the_databases(tmp_path: Path) -> None:
    secrets = _secrets(tmp_path)
    found = dj_database_url.parse(secrets["DATABASE_URL"])
    assert found["HOST"] in SERVICES
    assert found["USER"] == found["NAME"] == SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    assert found["PASSWORD"] == secrets["POSTGRES_PASSWORD"]
    assert secrets["REDIS_URL"] == f"redis://:{secrets['REDIS_PASSWORD']}@redis:6379/0"


def test_only_this_machine_can_reach_it_by_default() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"web"}
    [shown] = published["web"]
    address, _, inside = _USE.sub(r"\3", shown).split(":")
    assert is_loopback(address)
    assert inside == DEFAULTS["TOCSIN_PORT"]
    internal = {name for name, network in FILE["networks"].items() if network and network.get("internal")}
    for name in ("postgres", "redis"):
        assert set(SERVICES[name]["networks"]) <= internal, f"{name} can be reached from elsewhere"


@pytest.mark.parametrize("name", TOCSIN)
def test_tocsin_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "user", "cap_add", "pid", "network_mode"} & set(service)
    [volume] = service["volumes"]
    assert volume.split(":") == ["data", image_environment()["TOCSIN_DATA_DIR"]]


def test_celery_comes_by_its_profile_alone() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"celery"}
    celery = SERVICES["celery"]
    assert celery["environment"]["TOCSIN_CELERY_ALIVE"] in celery["healthcheck"]["test"][1]
    [minutes] = re.findall(r"^(\d+)m$", celery["stop_grace_period"])
    assert int(minutes) * 60 >= seconds_of_a_task()


def test_each_starts_when_what_it_needs_is_there() -> None:
    for name in ("web", "worker", "celery"):
        waits = {other: how["condition"] for other, how in SERVICES[name]["depends_on"].items()}
        assert waits == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("postgres", "redis"):
        assert "test" in SERVICES[name]["healthcheck"]


def test_only_what_is_done_once_stays_down() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    for name in set(SERVICES) - {"migrate"}:
        assert SERVICES[name]["restart"] == "unless-stopped"
        assert "container_name" not in SERVICES[name], f"{name} could not be scaled"
