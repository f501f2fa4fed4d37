"""Grafana OnCall's inbound integrations, whose URLs outlive it: the body is its tool's own webhook.

https://grafana.com/docs/oncall/latest/configure/integrations/
"""

import re
from typing import Final

from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request, identity
from tocsin.alerts.detect import detect
from tocsin.alerts.document import Part
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent, Beat, Reading
from tocsin.core import severity

_DRIVER_OF: Final = {
    "alertmanager": "alertmanager",
    "legacy_alertmanager": "alertmanager",
    "amv2": "alertmanager",
    "grafana": "grafana",
    "grafana_alerting": "grafana",
    "legacy_grafana_alerting": "grafana",
    "webhook": "generic",
    "stackdriver": "gcp",
    "uptimekuma": "uptime_kuma",
}
_OVER: Final = frozenset({"ok", "resolved"})


class Api(BaseApi):
    """Grafana OnCall's inbound URLs: `/integrations/v1/<type>/<token>/`."""

    paths = re.compile(
        PREFIX + r"/integrations/v1/(?P<kind>[\w-]+)/(?P<token>[^/]+)(?P<heartbeat>/heartbeat)?/?"
    )
    source = "oncall"

    def key(self, request: Request) -> str:
        return request.match["token"]

    def read(self, request: Request) -> Reading:
        kind, token = request.match["kind"].lower(), request.match["token"]
        if request.match["heartbeat"]:
            return Reading(beside=(Beat(name=f"oncall-{identity('oncall', token)[:8]}"),))
        if kind == "formatted_webhook":
            return Reading([_formatted(request.document(), token)])
        driver = _DRIVER_OF.get(kind, kind)
        if driver not in drivers.names():
            driver = detect(request.body)
        return drivers.get(driver)().parse(request.body)

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        return Answer(200, "Ok.")

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        return Answer(refusal.status, {"detail": refusal.message})


def _formatted(body: Part, token: str) -> AlertEvent:
    """OnCall's own shape."""
    name = body.need("title", "message", "alert_uid")
    labels = body.pairs("labels") | {"alertname": name, "alert_uid": body.text("alert_uid")}
    texts = {field: body.text(field) for field in ("message", "image_url")}
    return AlertEvent(
        labels={label: told for label, told in labels.items() if told},
        status="resolved" if body.text("state").lower() in _OVER else "firing",
        name=name,
        severity=severity.read(body.text("severity") or labels.get("severity")),
        annotations={field: told for field, told in texts.items() if told},
        generator_url=body.text("link_to_upstream_details"),
        fingerprint=identity("oncall", token, body.text("alert_uid") or name),
    )
