"""NetBox' event rules. They tell of changes to its records, none of which is an alert.

https://netboxlabs.com/docs/netbox/integrations/webhooks/
"""

from tocsin.alerts.document import Part
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent


class Driver(DocumentDriver):
    """NetBox' changes: accepted, and no alert made of them."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        marks = whole.has("event", "model", "username", "data")
        return 90 if marks and (whole.has("request_id") or whole.has("snapshots")) else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        return None
