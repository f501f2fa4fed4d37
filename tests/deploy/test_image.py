"""The image: what goes into it, who it runs as, and the health check inside."""

import ast
import fnmatch
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.urls import resolve

from tests.deploy.shipped import (
    DEFAULTS,
    DEPLOY,
    DOCKERFILE,
    PROJECT,
    ROOT,
    SETTINGS,
    image_environment,
    instructions,
    is_secret,
    pinned,
    refuse_unknown_command,
)
from tests.fakes.receiver import Answer, Receiver
from tests.fakes.tls import https
from tests.processes import free_port

HEALTHY = DEPLOY / "docker" / "healthy.py"


def _all(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


def _last(word: str) -> str:
    return _all(word)[-1]


def _copied() -> list[str]:
    """What is copied from the repository."""
    return [source for rest in _all("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]]


def _goes_into_builds(path: str) -> bool:
    """As the builder decides: the last line that fits counts."""
    kept = True
    for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        begins = any(fnmatch.fnmatch(path[:end], pattern) for end in _ends(path))
        if line and not line.startswith("#") and (begins or _anywhere(path, pattern)):
            kept = line.startswith("!")
    return kept


def _ends(path: str) -> list[int]:
    return [*(match.start() for match in re.finditer("/", path)), len(path)]


def _anywhere(path: str, pattern: str) -> bool:
    return pattern.startswith("**/") and pattern[3:] in path.split("/")


@pytest.mark.parametrize("source", _copied())
def test_what_is_copied_is_there(source: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", source],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert listed, f"there is no {source}"
    assert all(map(_goes_into_builds, listed)), f"Dockerfile.dockerignore keeps {source} out"


@pytest.mark.parametrize("path", [
    ".env", "deploy/docker/.env", "tocsin/.env", ".git/config", ".venv/bin/python", "tests/world.py",
    "tocsin/core/__pycache__/config.cpython-312.pyc",
])  # fmt: skip
def test_nothing_else_goes_into_a_build(path: str) -> None:
    assert not _goes_into_builds(path)


def test_every_stage_begins_with_the_same_pinned_python_that_we_support() -> None:
    [image] = {rest.split()[0] for rest in _all("FROM")}
    assert pinned(image)
    name, _, tag = image.partition(":")
    assert (name, tag.split("-")[1]) == ("python", "slim")
    least = re.findall(r"\d+", PROJECT["requires-python"])
    assert [int(part) for part in tag.split(".")[:2]] >= [int(part) for part in least]


def test_all_that_is_installed_is_named_by_its_hash() -> None:
    steps = [step for rest in _all("RUN") for step in rest.split(" && ") if " pip " in step]
    fetching = [step for step in steps if "--require-hashes" in step]
    for step in fetching:
        [file] = re.findall(r"-r (\S+)", step)
        assert not re.findall(r"^[\w.-]+==[^\\]+$", (ROOT / file).read_text(), re.M), f"{file} lacks hashes"
    for step in set(steps) - set(fetching):
        assert "--no-deps" in step and ("--no-index" in step or "--no-build-isolation" in step), step
    assert len(fetching) == 2


def test_what_builds_the_wheel_is_pinned() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pins = (ROOT / "requirements-build.txt").read_text()
    for requirement in wanted:
        assert re.search(rf"^{re.split('[<>=]', requirement)[0]}==", pins, re.M), requirement


def test_it_runs_as_a_user_of_its_own_by_number() -> None:
    [made] = [rest for rest in _all("RUN") if "useradd" in rest]
    [uid] = re.findall(r"useradd --uid (\d+)", made)
    [gid] = re.findall(r"groupadd --gid (\d+)", made)
    assert _last("USER") == f"{uid}:{gid}"
    assert int(uid) > 0
    data = image_environment()["TOCSIN_DATA_DIR"]
    assert f"--owner {uid} --group {gid} --mode 0700 {data}" in made
    assert _last("VOLUME") == _last("WORKDIR") == data


def test_its_settings_are_tocsins_and_no_secrets() -> None:
    assert set(image_environment()) - {"HOME", "PATH", "PYTHONUNBUFFERED"} <= SETTINGS
    assert not _all("ARG")
    for name, value in image_environment().items():
        assert not is_secret(name), f"{name}={value}"
    assert _last("EXPOSE") == DEFAULTS["TOCSIN_PORT"]


def test_its_words_are_a_command() -> None:
    [program] = ast.literal_eval(_last("ENTRYPOINT"))
    assert program in PROJECT["scripts"]
    refuse_unknown_command(ast.literal_eval(_last("CMD")))


def test_its_health_check_is_in_it_and_asks_for_a_real_path() -> None:
    program, file = ast.literal_eval(_last("HEALTHCHECK").partition("CMD ")[2])
    assert program == "python"
    assert f"deploy/docker/healthy.py {file}" in _all("COPY")
    [path] = re.findall(r'PATH: Final = "(.+)"', HEALTHY.read_text())
    assert resolve(path).url_name == "healthz"


# The health check itself.


def _asks(port: int, **environment: str) -> int:
    return subprocess.run(
        [sys.executable, "-I", str(HEALTHY)],
        env={"PATH": os.environ["PATH"], "TOCSIN_PORT": str(port), **environment},
        check=False, timeout=20,
    ).returncode  # fmt: skip


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (400, 1)])
def test_only_200_is_healthy(receiver: Receiver, status: int, code: int) -> None:
    receiver.default = Answer(status)
    assert _asks(receiver.port) == code
    [asked] = receiver.received
    assert (asked.method, asked.path) == ("GET", "/api/healthz")


def test_who_does_not_answer_is_not_healthy(receiver: Receiver) -> None:
    assert _asks(free_port()) == 1
    receiver.default = Answer(delay=3.5)
    assert _asks(receiver.port) == 1


def test_it_asks_by_https_where_tocsin_speaks_that(receiver: Receiver, tmp_path: Path) -> None:
    with https(receiver.port, tmp_path) as secure:
        port = int(secure.url.rpartition(":")[2])
        assert _asks(port, TOCSIN_TLS_CERTIFICATE=str(secure.certificate)) == 0
        assert _asks(port) == 1


def test_no_proxy_stands_between(receiver: Receiver) -> None:
    assert _asks(receiver.port, http_proxy="http://127.0.0.1:9") == 0
