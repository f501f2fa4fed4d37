"""StatusCake contact groups' webhook: a form for each test that goes down or comes up.

https://www.statuscake.com/kb/knowledge-base/how-to-use-the-web-hook-url/
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

MARKS: Final = (
    "Token",
    "StatusCode",
    "IP",
    "Checkrate",
    "CheckRate",
    "TestID",
    "Tags",
    "Method",
    "ContactGroup",
)


class Driver(DocumentDriver):
    """StatusCake: a test that is down, and up again."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if part.text("Status").lower() not in ("up", "down") or not part.text("Name", "URL"):
            return 0
        found = sum(mark in part.value for mark in MARKS)
        return min(55 + 10 * found, 95) if found >= 2 else 30

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name, url = part.text("Name", "URL") or part.need("Name"), part.text("URL", "WebsiteURL")
        resolved = part.need("Status").lower() == "up"
        labels = {"alertname": name, "instance": url or name, "url": url, "ip": part.text("IP")}
        labels |= part.fields("TestID", "Method", "Tags")
        code = part.text("StatusCode")
        return AlertEvent(
            labels=filled(labels | {"severity": part.text("Status")}),
            status="resolved" if resolved else "firing",
            name=name,
            severity=severity.INFO if resolved else severity.CRITICAL,
            annotations=filled({"summary": f"status code {code}" if code else "", "StatusCode": code}),
            generator_url=url,
            fingerprint=identity("statuscake", part.text("TestID"))
            or identity("statuscake", url or "-", name),
        )
