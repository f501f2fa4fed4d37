"""``tocsin threader`` as processes, each with a port and a folder of its own, and Alertmanager's webhooks."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.fakes.slack import CHANNEL, TOKEN, Slack
from tests.processes import free_port

_OURS = re.compile(r"TOCSIN_|THREADER_|SLACK_|REDIS_URL|DJANGO_|DATABASE_URL|LOG_LEVEL")
Webhooks = Callable[..., dict[str, Any]]
BEGAN = "2026-11-21T10:{:02}:00Z"
NEVER = "0001-01-01T00:00:00Z"


def by_bot(slack: Slack) -> dict[str, str]:
    """Settings that post by the bot."""
    return {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL, "SLACK_API_URL": slack.api}


def alert(instance: str, began: int = 0, ended: int | None = None, name: str = "HighCPU") -> dict[str, Any]:
    """One alert of a webhook: since minute ``began``, until minute ``ended``."""
    return {
        "status": "firing" if ended is None else "resolved",
        "labels": {"alertname": name, "instance": instance, "severity": "critical"},
        "annotations": {"summary": f"{instance} is busy"},
        "startsAt": BEGAN.format(began),
        "endsAt": NEVER if ended is None else BEGAN.format(ended),
        "generatorURL": "http://prometheus:9090/graph",
    }


def webhook(*alerts: dict[str, Any], group: str = "HighCPU", **more: Any) -> dict[str, Any]:
    """What Alertmanager posts of a group."""
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{group}"}}',
        "status": "firing" if firing else "resolved",
        "receiver": "threader",
        "groupLabels": {"alertname": group},
        "commonLabels": {"alertname": group},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "truncatedAlerts": 0,
        "alerts": list(alerts),
        **more,
    }


class Instance:
    """One of them. ``said`` is its log."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._log = folder / "said"
        clean = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
        self.port = int(settings.get("THREADER_PORT", 0)) or free_port()
        self.environment = {
            **clean,
            "TOCSIN_DATA_DIR": str(folder),
            "TOCSIN_LOG_MAX_BYTES": "0",
            "THREADER_PORT": str(self.port),
            **settings,
        }

    def __enter__(self) -> Self:
        self.start()
        self.wait(lambda: self.get("/health")[0] in (200, 503), "it to listen", 30)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        command = [sys.executable, "-m", "tocsin", "threader"]
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(20)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def post(self, payload: Any, **headers: str) -> int:
        return self.answer(payload, **headers)[0]

    def answer(self, payload: Any, **headers: str) -> tuple[int, Any]:
        """Post to /alert; the status (0: no answer) and what was answered."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}/alert"
        return self._ask(urllib.request.Request(url, body, {"Content-Type": "application/json", **named}))

    def _ask(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, _read(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error)
        except OSError:
            return 0, None

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited {seconds} s for {what}; it said:\n{self.said[-3000:]}"
            )
            time.sleep(0.01)

    def wait_idle(self, seconds: float = 15) -> None:
        """Until nothing waits to be told."""
        self.wait(lambda: waiting(self) == 0, "all to be told", seconds)


def waiting(instance: Instance) -> int | None:
    """Webhooks of all instances of its store that wait; None where it does not know."""
    status, told = instance.get("/stats")
    return told["waiting"]["groups"] if status == 200 and told["waiting"] else None


def headline(told: dict[str, Any]) -> str:
    """A message's own line."""
    return str(told["text"])


def shown(told: dict[str, Any]) -> str:
    """All that a message shows."""
    blocks = told["attachments"][0]["blocks"]
    parts = [part for block in blocks for part in block.get("elements", [block.get("text")])]
    return "\n".join(part["text"] for part in parts)


def all_of(slack: Slack) -> Iterable[dict[str, Any]]:
    """The heads as they are now, and all replies."""
    return [*slack.heads.values(), *(reply for replies in slack.replies.values() for reply in replies)]


def _read(response: Any) -> Any:
    body = response.read()
    if response.headers.get("content-type", "").startswith("application/json"):
        return msgspec.json.decode(body)
    return body.decode()
