"""The demo's monitoring tools: each posts in its own words, through the real door."""

import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import msgspec

from tocsin.core import config
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.labels import fingerprint
from tocsin.web.demo.catalogue import ALERTMANAGER, GENERIC, PROMETHEUS
from tocsin.web.demo.tale import Telling

PATHS: Final = {
    ALERTMANAGER: "/alerts/webhook/alertmanager/",
    PROMETHEUS: "/api/v2/alerts",
    GENERIC: "/alerts/webhook/generic/",
}
BELIEVED: Final = timedelta(minutes=4)  # as Prometheus does: an alert not sent again within that is over
ANSWER_SECONDS: Final = 10
_PROMETHEUS: Final = "http://prometheus.shop.example/graph"


def own_url() -> str:
    """This installation's web process, as a program on this machine reaches it."""
    host = config.text("TOCSIN_HOST")
    if host in ("0.0.0.0", "::"):  # all addresses: loopback is one of them
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{config.text('TOCSIN_PORT')}"


def needs_key() -> bool:
    """Whether the door asks the demo for a key."""
    return not config.bound_to_loopback() or any(config.webhook_secret(source) for source in PATHS)


def post(tellings: Iterable[Telling], key: str, now: datetime) -> None:
    """Post what happens, one request a tool. Raises Unavailable or Rejected."""
    told = list(tellings)
    for source, path in PATHS.items():
        mine = [telling for telling in told if telling.trouble.source == source]
        if mine:
            _send(path, _PAYLOADS[source](mine, now), key)


def answers() -> bool:
    """Whether the web process is up."""
    try:
        with urllib.request.urlopen(f"{own_url()}/api/healthz", timeout=ANSWER_SECONDS) as response:
            return bool(response.status == HTTPStatus.OK)
    except OSError:
        return False


def _send(path: str, payload: object, key: str) -> None:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(own_url() + path, msgspec.json.encode(payload), headers)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
            response.read()
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(500).decode("utf-8", "replace")
        if error.code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            raise Unavailable(said) from error
        raise Rejected(f"{path} answered {error.code}: {said}") from error
    except OSError as error:
        raise Unavailable(f"{own_url()} does not answer: {error}") from error


def _place(telling: Telling) -> dict[str, str]:
    """The labels that stay when it gets worse."""
    return {
        "alertname": telling.trouble.name,
        "instance": telling.where,
        "service": telling.trouble.service,
        "env": "production",
    }


def _annotations(telling: Telling) -> dict[str, str]:
    return {"summary": telling.text, "runbook_url": telling.trouble.runbook}


def _alertmanager(tellings: list[Telling], now: datetime) -> dict[str, Any]:
    alerts = [
        {
            "status": telling.status,
            "labels": _place(telling) | {"severity": telling.severity},
            "annotations": _annotations(telling),
            "endsAt": now if telling.status == "resolved" else "0001-01-01T00:00:00Z",
            "generatorURL": f"{_PROMETHEUS}?g0.expr={telling.trouble.name}",
            "fingerprint": fingerprint(_place(telling)),
        }
        for telling in tellings
    ]
    firing = any(telling.status == "firing" for telling in tellings)
    return {
        "version": "4",
        "status": "firing" if firing else "resolved",
        "receiver": "tocsin",
        "groupKey": "{}:{}",
        "externalURL": "http://alertmanager.shop.example",
        "alerts": alerts,
    }


def _prometheus(tellings: list[Telling], now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "labels": _place(telling) | {"severity": telling.severity},
            "annotations": _annotations(telling),
            "endsAt": now if telling.status == "resolved" else now + BELIEVED,
            "generatorURL": f"{_PROMETHEUS}?g0.expr={telling.trouble.name}",
        }
        for telling in tellings
    ]


def _generic(tellings: list[Telling], now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "name": telling.trouble.name,
            "status": telling.status,
            "severity": telling.severity,
            "message": telling.text,
            "labels": _place(telling),
            "annotations": {"runbook_url": telling.trouble.runbook},
        }
        for telling in tellings
    ]


_PAYLOADS: Final = {ALERTMANAGER: _alertmanager, PROMETHEUS: _prometheus, GENERIC: _generic}
