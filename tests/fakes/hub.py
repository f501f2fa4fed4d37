"""A stand-in for a hub: keeps to the rules of its way in for agents, and to exactly once.

Of a round that it has had it answers 202 and applies nothing. What breaks the rules gets 400, and is told in
``complaints``.
"""

import gzip
import hashlib
import hmac
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

PATH = "/alerts/webhook/cluster/"
ENROLL = "/api/v1/enroll/"
COMMANDS = "/api/fleet/commands/"
MOST_ALERTS, MOST_BYTES = 500, 1_000_000
FIELDS = {
    "source",
    "instance_id",
    "hostname",
    "version",
    "batch_id",
    "spool",
    "sent_at",
    "interval",
    "agent",
    "alerts",
}
ALERT_FIELDS = {
    "fingerprint", "name", "status", "severity", "started_at", "ended_at", "labels", "annotations",
    "metrics", "seq", "checked_at", "check_status", "steady",
}  # fmt: skip
EXPECTED = {
    "ok": ("resolved", "info"), "warning": ("firing", "warning"), "critical": ("firing", "critical"),
    "unknown": ("firing", "warning"),
}  # fmt: skip


class Broken(Exception):
    """What the agent did wrong."""


@dataclass
class Said:
    """What to answer next, instead of the truth; ``lost``: it is applied, and the connection cut."""

    status: int = 202
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    delay: float = 0
    lost: bool = False


@dataclass
class Post:
    """One that came."""

    headers: dict[str, str]
    body: bytes
    document: Any
    client: tuple[str, int]
    at: float

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return list(self.document["alerts"])


class Hub:
    """Starts and stops on one port. ``said`` comes first, in order; ``poison`` is a check it never takes."""

    def __init__(self, secret: str = "", keys: dict[str, str] | None = None) -> None:
        self.secret, self.keys, self.tokens = secret, keys or {}, {"good-token"}
        self.said: list[Said] = []
        self.posts: list[Post] = []
        self.applied: list[dict[str, Any]] = []
        self.highest: dict[str, int] = {}
        self.known_again = 0
        self.poison = ""
        self.complaints: list[str] = []
        self.enrolments: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []  # each is given until its end is told
        self.asked: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []
        self.deaf = 0  # so many posts about commands are taken in, and their answers lost
        self.port = 0
        self._server: _Server | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def rounds(self) -> list[int]:
        """The numbers of the rounds that were applied, in the order in which they were."""
        return list(dict.fromkeys(alert["seq"] for alert in self.applied))

    def start(self) -> None:
        """Listen, on the port of before where it did."""
        self._server = _Server(self)
        self.port = self._server.server_port
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        """As if it were killed: connections are cut."""
        if self._server is not None:
            self._server.end()
            self._server = None

    def wait_for(self, what: str, condition: Any, seconds: float = 20) -> None:
        """Wait until something is so; fails the test when it does not become so."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited {seconds} s for {what}; complaints: {self.complaints}"
            )
            time.sleep(0.01)

    def take(self, post: Post) -> Said:
        """What to answer to a push."""
        with self._lock:
            self.posts.append(post)
            said = self.said.pop(0) if self.said else Said()
            if said.status != 202:
                return said
            if refused := self._refused(post):
                return refused
            try:
                check(post)
            except Broken as error:
                self.complaints.append(str(error))
                return Said(400, body={"message": str(error)})
            if self.poison and any(alert["check"] == self.poison for alert in post.alerts):
                return Said(422, body={"message": f"no {self.poison} here"})
            self._apply(post)
            return said

    def enrol(self, document: dict[str, Any]) -> Said:
        """What to answer to an enrolment."""
        self.enrolments.append(document)
        if document.get("token") not in self.tokens:
            return Said(403, body={"message": "unknown token"})
        if document["instance_id"] in self.keys.values():
            return Said(409, body={"message": "it has a key already"})
        key = f"key-of-{document['instance_id']}"
        self.keys[key] = document["instance_id"]
        return Said(201, body={"key": key, "instance_id": document["instance_id"]})

    def give(self, key: str, document: dict[str, Any]) -> Said:
        """What to answer to an agent that asks for commands."""
        with self._lock:
            if key not in self.keys:
                return Said(403, body={"message": "unknown key"})
            self.asked.append(document)
            self.ended += document["results"]
            over = {result["id"] for result in self.ended}
            self.deaf, lost = max(0, self.deaf - 1), self.deaf > 0
            left = [order for order in self.orders if order["id"] not in over]
            return Said(200, body={"commands": left[:1], "again_in": 0.2}, lost=lost)

    def _refused(self, post: Post) -> Said | None:
        if not self.secret and not self.keys:
            return None
        given = post.headers.get("authorization", "").removeprefix("Bearer ")
        if self.keys.get(given) == post.document["instance_id"]:
            return None
        signed = post.headers.get("x-tocsin-timestamp", "").encode() + b"." + post.body
        right = hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        if self.secret and hmac.compare_digest(right, post.headers.get("x-cluster-signature", "")):
            return None
        return Said(403, body={"message": "wrong signature"})

    def _apply(self, post: Post) -> None:
        spool = post.document["spool"]
        last = self.highest.get(spool, 0)
        fresh = [alert for alert in post.alerts if alert["seq"] > last]
        self.known_again += len(post.alerts) - len(fresh)
        self.applied += fresh
        self.highest[spool] = max([last, *(alert["seq"] for alert in fresh)])


def check(post: Post) -> None:
    """Raise Broken for what is not as agreed."""
    document, alerts = post.document, post.alerts
    if (
        post.headers.get("content-encoding") != "gzip"
        or post.headers.get("content-type") != "application/json"
    ):
        raise Broken("not gzipped JSON")
    if missing := FIELDS - set(document):
        raise Broken(f"without {missing}")
    if document["source"] != "cluster" or not document["instance_id"] or document["version"] != "1.0":
        raise Broken("not the cluster's format")
    if len(alerts) > MOST_ALERTS or len(msgspec.json.encode(document)) > MOST_BYTES:
        raise Broken(f"too much in one post: {len(alerts)} alerts")
    if not re.fullmatch(rf"{re.escape(document['spool'])}:(\d+)-(\d+)", document["batch_id"]):
        raise Broken(f"batch_id {document['batch_id']}")
    if alerts and document["batch_id"].partition(":")[2] != f"{alerts[0]['seq']}-{alerts[-1]['seq']}":
        raise Broken("batch_id and rounds differ")
    if [alert["seq"] for alert in alerts] != sorted(alert["seq"] for alert in alerts):
        raise Broken("out of order")
    if set(document["agent"]["dropped"]) != {"steady", "transition", "unreadable"}:
        raise Broken("dropped")
    for alert in alerts:
        _check_alert(alert, document["hostname"])


def _check_alert(alert: dict[str, Any], hostname: str) -> None:
    if missing := ALERT_FIELDS - set(alert):
        raise Broken(f"an alert without {missing}")
    if EXPECTED[alert["check_status"]] != (alert["status"], alert["severity"]):
        raise Broken(f"{alert['check_status']} told as {alert['status']}, {alert['severity']}")
    if (alert["ended_at"] is None) != (alert["status"] == "firing"):
        raise Broken("ended_at does not go with its status")
    if not alert["fingerprint"].endswith(f"-{hostname}") or alert["labels"]["hostname"] != hostname:
        raise Broken("of another host")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.connections: set[Any] = set()
        super().__init__(("127.0.0.1", hub.port), _Request)

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            self.shutdown_request(connection)

    def handle_error(self, *args: object) -> None:
        return  # an agent that was killed


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub = self.server.hub
        if self.path == ENROLL:
            said = hub.enrol(msgspec.json.decode(body))
        elif self.path == COMMANDS:
            said = hub.give(
                headers.get("authorization", "").removeprefix("Bearer "), msgspec.json.decode(body)
            )
        elif self.path == PATH:
            document = msgspec.json.decode(gzip.decompress(body))
            said = hub.take(Post(headers, body, document, self.client_address, time.monotonic()))
        else:
            said = Said(404)
        time.sleep(said.delay)
        if said.lost:
            self.close_connection = True
            return
        self._answer(said)

    def _answer(self, said: Said) -> None:
        told = msgspec.json.encode(said.body)
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *args: object) -> None:
        return


@contextmanager
def hub(secret: str = "", keys: dict[str, str] | None = None) -> Iterator[Hub]:
    """A hub on a free port, gone at the end."""
    made = Hub(secret, keys)
    made.start()
    try:
        yield made
    finally:
        made.stop()
