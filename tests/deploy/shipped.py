"""What ``deploy/`` ships, as tests read it, and the names in Tocsin that it must keep to."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from celery.bin.worker import worker
from django.core.management import get_commands, load_command_class

from tocsin.core.config import VARIABLES
from tocsin.notify.drivers import drivers
from tocsin.orchestration.tasks import WORK_SECONDS

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
DOCKERFILE: Final = DEPLOY / "docker" / "Dockerfile"
COMPOSE: Final = DEPLOY / "docker" / "compose.yaml"
KUBERNETES: Final = DEPLOY / "k8s"
NEW_SECRETS: Final = DEPLOY / "new-secrets.sh"

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS: Final = f"tocsin:{PROJECT['version']}"
SETTINGS: Final = {variable.name for variable in VARIABLES}
DEFAULTS: Final = {variable.name: variable.default for variable in VARIABLES}
DATABASES_OWN: Final = {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}  # in the file of secrets, and no settings
_SECRET: Final = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|_URL|AUTH")
_PINNED: Final = re.compile(r"[\w./-]+:\d+(\.\d+)+(-[a-z]+)*")


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a YAML file."""
    yield from yaml.safe_load_all(path.read_text())


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, without comments; each on one line."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    whole = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


def image_environment() -> dict[str, str]:
    """What the image's last stage sets."""
    last = max(n for n, (word, _) in enumerate(instructions()) if word == "FROM")
    found = [rest for word, rest in instructions()[last:] if word == "ENV"]
    return dict(pair.partition("=")[::2] for rest in found for pair in rest.split())


def pinned(image: str) -> bool:
    """Whether an image is named with a whole version."""
    return bool(_PINNED.fullmatch(image))


def is_secret(name: str) -> bool:
    """Whether a variable's value is nobody's business; what people open in their browsers is not."""
    return bool(_SECRET.search(name)) and name != "TOCSIN_PUBLIC_URL"


def refuse_unknown_command(words: list[str]) -> None:
    """Fails where Tocsin has no such command, or the command no such option."""
    assert words[0] in get_commands(), f"there is no command {words[0]}"
    load_command_class(get_commands()[words[0]], words[0]).create_parser("tocsin", words[0]).parse_args(
        words[1:]
    )


def refuse_unknown_celery(words: list[str]) -> None:
    """Fails where Celery's worker has no such option, or would work for another application."""
    assert words[:3] == ["--app", "tocsin", "worker"]
    options = {name for option in worker.params for name in option.opts}
    assert {word for word in words[3:] if word.startswith("-")} <= options


def seconds_of_a_task() -> float:
    """How long a Celery worker that is asked to end may still be at work."""
    return WORK_SECONDS + max(drivers.get(name).timeout for name in drivers.names())
