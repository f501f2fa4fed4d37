"""Grafana: alerting's contact points of type webhook, and the legacy alerting before Grafana 9.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

import re
from collections.abc import Iterable
from typing import Final

from tocsin.alerts.document import Part, as_text, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

LINKS: Final = ("dashboardURL", "panelURL", "silenceURL", "imageURL", "valueString")
UNIFIED: Final = ("receiver", "externalURL", "groupKey", "groupLabels", "commonLabels")
LEGACY: Final = ("evalMatches", "ruleUrl", "ruleId", "dashboardId", "panelId")
OVER: Final = ("ok", "resolved", "normal", "paused")  # a paused rule tells nothing more
_STATE: Final = re.compile(r"^\[[\w ]+(?::\d+)?\]\s*")  # "[Alerting] CPU alert"


class Driver(DocumentDriver):
    """Grafana's webhooks: unified alerting, and the older alerts of dashboards."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if isinstance(whole.get("alerts"), list):
            first = next(whole.parts("alerts"), Part(None))
            own = whole.has("orgId") or whole.has("title", "state") or any(map(first.has, LINKS[:3]))
            return 98 if own and any(map(whole.has, UNIFIED)) else 0
        named = whole.has("ruleName", "state") or whole.has("evalMatches", "state")
        return 90 if named and sum(map(whole.has, LEGACY)) >= 2 else 0

    def parts(self, payload: Part) -> Iterable[Part]:
        return payload.parts("alerts") if payload.has("alerts") else [payload]

    def event(self, part: Part, payload: Part) -> AlertEvent:
        return _alert(part, payload) if payload.has("alerts") else _rule(part)


def _alert(part: Part, payload: Part) -> AlertEvent:
    labels = part.pairs("labels")
    name = labels.get("alertname") or labels.get("rulename") or payload.need("title")
    resolved = part.text("status").lower() == "resolved"
    # A test alert's link is relative: "?orgId=1".
    source = part.text("generatorURL")
    return AlertEvent(
        labels={"alertname": name} | labels,
        status="resolved" if resolved else "firing",
        name=name,
        severity=severity.read(labels.get("severity")),
        annotations=filled({link: part.text(link) for link in LINKS}) | part.pairs("annotations"),
        starts_at=part.moment("startsAt"),
        ends_at=part.moment("endsAt") if resolved else None,
        generator_url=source if "://" in source else payload.text("externalURL"),
        fingerprint=part.text("fingerprint"),
    )


def _rule(part: Part) -> AlertEvent:
    """A rule is one alert, however many series of it are ill: when all is well none is named."""
    match = next(part.parts("evalMatches"), Part(None))
    name = part.text("ruleName") or _STATE.sub("", part.need("title", "ruleName"))
    ids = {own: part.text(own) for own in ("ruleId", "orgId", "dashboardId", "panelId")}
    labels = match.pairs("tags") | {"metric": match.text("metric")} | part.pairs("tags") | ids
    status: Status = "resolved" if part.text("state").lower() in OVER else "firing"
    return AlertEvent(
        labels=filled({"alertname": name} | labels),
        status=status,
        name=name,
        severity=severity.read(labels.get("severity")),
        annotations=filled(
            {
                "summary": part.text("title"),
                "description": part.text("message"),
                "evalMatches": as_text(part.get("evalMatches") or None),
                "imageURL": part.text("imageUrl"),
            }
        ),
        generator_url=part.text("ruleUrl"),
        fingerprint=identity("grafana", part.text("ruleId"), ids["orgId"] or "1"),
    )
