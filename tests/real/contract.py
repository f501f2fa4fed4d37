"""A real Alertmanager and Tocsin side by side: both hold the same, and are asked the same."""

import base64
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.processes import Tocsin
from tests.real.prometheus import alertmanager

PASSWORD: Final = "correct horse"
_HASHED: Final = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# How Go and we word what is wrong with a text that cannot be read.
_REASON: Final = re.compile(r"(because|error parsing regexp:|failed to parse receiver param:).*", re.S)
_METHODS: Final = re.compile(r"\[([A-Z,]+)\]")  # their order is by chance there
# What Alertmanager has had since 0.25: empty here, and ignored by who does not know it.
_LATER: Final[dict[str, Any]] = {"mutedBy": [], "routeLabels": {}, "annotations": {}, "labels": {}}


class Answer(NamedTuple):
    """What a server said, in words that both would use."""

    status: int
    media_type: str
    body: Any


class Server:
    """One of the two, as its clients see it. ``names`` are of its silences, by their ids."""

    def __init__(self, url: str, credentials: str = "") -> None:
        self.url = url
        self.names: dict[str, str] = {}
        self._since = datetime.now(UTC) - timedelta(minutes=1)
        self._headers = {"Content-Type": "application/json"}
        if credentials:
            encoded = base64.b64encode(credentials.encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"

    def open(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str, bytes]:
        """Status, media type and body as they came."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = urllib.request.Request(self.url + path, body, self._headers | given, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get_content_type(), error.read()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The answer in words that both would use; a silence's name in the path stands for its id."""
        for number, name in self.names.items():
            path = path.replace(f"<{name}>", number)
        raw = body if body is None or isinstance(body, bytes) else self._encoded(body)
        status, media_type, said = self.open(method, path, raw, **headers)
        if media_type != "application/json" or not said.strip():
            return Answer(status, "" if not said else media_type, said.decode())
        return Answer(status, media_type, self._plain(json.loads(said)))

    def _encoded(self, body: Any) -> bytes:
        text = json.dumps(body)
        for number, name in self.names.items():
            text = text.replace(f"<{name}>", number)
        return text.encode()

    def _plain(self, told: Any) -> Any:
        if isinstance(told, dict):
            return self._plain_object(told)
        if isinstance(told, list):
            return [self._plain(item) for item in told]
        return self._plain_text(told) if isinstance(told, str) else told

    def _plain_object(self, told: dict[str, Any]) -> dict[str, Any]:
        later = {name for name, nothing in _LATER.items() if told.get(name) == nothing}
        if "fingerprint" in told or "alerts" in told:  # these had them from the beginning
            later -= {"annotations", "labels"}
        found = {name: self._plain(value) for name, value in told.items() if name not in later}
        for name, key in (("silencedBy", str), ("alerts", lambda alert: alert["fingerprint"])):
            if name in found:  # their order is by chance there
                found[name] = sorted(found[name], key=key)
        return found

    def _plain_text(self, told: str) -> str:
        if _TIME.fullmatch(told):
            when = datetime.fromisoformat(told)
            now = datetime.now(UTC)
            return "about now" if self._since <= when <= now + timedelta(minutes=10) else told
        told = _METHODS.sub(lambda names: f"[{','.join(sorted(names[1].split(',')))}]", told)
        told = _UUID.sub(lambda number: f"<{self.names.get(number[0], 'an id')}>", told)
        return _REASON.sub(r"\1 …", told)


class Pair:
    """Both, and what is done to both."""

    def __init__(self, original: Server, ours: Server, guarded: bool) -> None:
        self.original, self.ours, self.guarded = original, ours, guarded

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[Answer, Answer]:
        """The answers of Alertmanager and of Tocsin."""
        said = self.original.ask(method, path, body, **headers)
        return said, self.ours.ask(method, path, body, **headers)

    def agree(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """What both answer, which must be the same."""
        said, ours = self.ask(method, path, body, **headers)
        assert ours == said, f"{method} {path}\nAlertmanager: {said}\nTocsin:       {ours}"
        return said

    def silence(self, name: str, given: dict[str, Any]) -> None:
        """Post a silence and remember it by a name of ours."""
        for server in (self.original, self.ours):
            status, _, said = server.open("POST", "/api/v2/silences", server._encoded(given))
            assert status == 200, said
            server.names[json.loads(said)["silenceID"]] = name

    def settle(self, groups: int) -> None:
        """Wait until each has formed this many groups, which it does in its own time."""
        for server in (self.original, self.ours):
            until = time.monotonic() + 20
            while len(found := server.ask("GET", "/api/v2/alerts/groups").body) != groups:
                assert time.monotonic() < until, found
                time.sleep(0.02)


@contextmanager
def pair(folder: Path, guarded: bool) -> Iterator[Pair]:
    """Both with the channels ``ops`` and ``chat``; guarded, below a path and opened by a password.

    Alertmanager runs by the configuration that Tocsin says is in force.
    """
    tocsin = Tocsin(TOCSIN_HOST="0.0.0.0") if guarded else Tocsin()
    tocsin.run("migrate", "-v", "0")
    for name in ("ops", "chat"):
        tocsin.run("channel", "add", name, "--driver", "webhook", "--set", "url=http://127.0.0.1:9/")
    path, key, options = "", "", []
    if guarded:
        [found] = re.findall(r"tocsin_\S+", tocsin.run("api_key", "create", "grafana", "--scope", "write"))
        (folder / "web.yml").write_text(json.dumps({"basic_auth_users": {"grafana": _HASHED}}))
        path, key = "/am", f"grafana:{found}"
        options = [f"--web.route-prefix={path}", f"--web.config.file={folder / 'web.yml'}"]
    with tocsin:
        ours = Server(f"http://127.0.0.1:{tocsin.port}{path}", key)
        config = json.loads(ours.open("GET", "/api/v2/status")[2])["config"]["original"]
        with alertmanager(folder, config, *options) as port:
            original = Server(f"http://127.0.0.1:{port}{path}", f"grafana:{PASSWORD}" if guarded else "")
            both = Pair(original, ours, guarded)
            _wait_for(original)
            yield both
        assert "Traceback" not in "".join(tocsin.output)


def _wait_for(server: Server) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            if server.open("GET", "/-/ready")[0] == 200:
                return
        except OSError:
            assert time.monotonic() < until, "Alertmanager does not answer"
        time.sleep(0.02)
