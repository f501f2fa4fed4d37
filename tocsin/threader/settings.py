"""What an instance is told by its environment."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from tocsin.core import config
from tocsin.core.errors import Misconfigured
from tocsin.core.outbound import Allowed
from tocsin.notify.drivers.slack import Config

OWN: Final = "python"
_NAMES: Final = {
    "webhook_url": "SLACK_WEBHOOK_URL",
    "bot_token": "SLACK_BOT_TOKEN",
    "channel_id": "SLACK_CHANNEL",
    "api_url": "SLACK_API_URL",
}


@dataclass(frozen=True)
class Settings:
    """All that an instance needs to know. Where ``redis`` is empty it keeps a file in ``folder``."""

    host: str
    port: int
    secret: str = field(repr=False)
    slack: Config
    redis: str = field(repr=False)
    folder: Path
    continue_seconds: int
    max_bytes: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return config.is_loopback(self.host)

    @property
    def place(self) -> str:
        """Stands for where it posts: instances of one place share their threads, and no others."""
        told = self.slack
        where = told.webhook_url.get_secret_value() or f"{told.api_url} {told.channel_id}"
        return sha256(where.encode()).hexdigest()[:12]

    @property
    def allowed(self) -> Allowed:
        """What it may reach besides public addresses: who runs it names Slack's endpoint, nobody else."""
        told = self.slack
        host = urlsplit(told.webhook_url.get_secret_value() or told.api_url).hostname or ""
        return Allowed.read([*config.words("TOCSIN_OUTBOUND_ALLOW"), host])


def read() -> Settings:
    """Settings from the environment. Raises Misconfigured, which names the variable."""
    impl = config.text("THREADER_IMPL").lower()
    if impl != OWN:
        raise Misconfigured(
            f"THREADER_IMPL={impl[:40]!r}: this program is the implementation {OWN!r}. Another is a program "
            f"of its own, which the unit's ExecStart names: see docs/how-to/alert-threader.md"
        )
    settings = Settings(
        host=config.text("THREADER_HOST"),
        port=config.number("THREADER_PORT"),
        secret=config.text("THREADER_SECRET"),
        slack=_slack(),
        redis=config.text("REDIS_URL"),
        folder=config.data_dir(),
        continue_seconds=config.number("THREADER_CONTINUE"),
        max_bytes=config.number("TOCSIN_INTAKE_MAX_BYTES"),
    )
    if not settings.loopback and not settings.secret:
        raise Misconfigured(
            f"THREADER_HOST={settings.host} can be reached from other machines: set THREADER_SECRET, which "
            f"Alertmanager sends as the credentials or the basic_auth password of its http_config"
        )
    return settings


def _slack() -> Config:
    given = {field: config.text(name) for field, name in _NAMES.items()}
    if given["webhook_url"] and given["bot_token"]:
        given["webhook_url"] = ""  # the bot does all that it does, and has threads
    try:
        return Config.model_validate(given)
    except ValidationError as error:
        found = error.errors()[0]
        if not found["loc"]:
            raise Misconfigured(
                "set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL, which has no threads"
            ) from error
        raise Misconfigured(f"{_NAMES[str(found['loc'][0])]}: {found['msg']}") from error
