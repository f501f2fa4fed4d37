"""What a worker counts, for Prometheus, at an address of the worker's own: no other process knows it."""

import os
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.db import DatabaseError, connection
from prometheus_client import make_wsgi_app

from tocsin.accounts import services as accounts
from tocsin.alerts.listeners import addresses
from tocsin.core.errors import Misconfigured

PATIENCE: Final = 10.0  # seconds for a request to arrive
_told: Any = make_wsgi_app()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Conversation(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: object) -> None:
        """Who asks each few seconds is not worth a line."""


def serve() -> WSGIServer | None:
    """Serve it beside all else, where ``TOCSIN_WORKER_METRICS`` says; None where it does not, or where the
    processes of this machine share what they count, so that web tells of it. Raises Misconfigured."""
    bound = addresses.bound("TOCSIN_WORKER_METRICS", "127.0.0.1:8421")
    if bound is None or os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return None
    try:
        server = make_server(bound.host, bound.port, _application(bound.to_loopback), _Server, _Conversation)
    except OSError as error:
        raise Misconfigured(f"TOCSIN_WORKER_METRICS={bound} cannot be listened on: {error}") from error
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _application(is_open: bool) -> Callable[..., Iterable[bytes]]:
    def application(asked: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        refused = _not_there(asked) or ("" if is_open else _not_allowed(asked))
        if not refused:
            answer: Iterable[bytes] = _told(asked, start_response)
            return answer
        start_response(refused, [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
        return [f"{refused}\n".encode()]

    return application


def _not_there(asked: dict[str, Any]) -> str:
    return "" if asked["PATH_INFO"] == "/metrics" else "404 Not Found"


def _not_allowed(asked: dict[str, Any]) -> str:
    """Bound wider it takes an API key, of any scope, as web's does."""
    scheme, _, key = asked.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return "401 Unauthorized"
    try:
        known = accounts.scope_of_key(key.strip()) is not None
    except DatabaseError:
        return "503 Service Unavailable"
    finally:
        connection.close()
    return "" if known else "403 Forbidden"
