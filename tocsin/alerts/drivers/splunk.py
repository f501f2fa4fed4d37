"""Splunk Enterprise and Cloud: the webhook action of an alert, which is a saved search that found something.

https://docs.splunk.com/Documentation/Splunk/latest/Alert/Webhooks
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

MARKS: Final = ("sid", "results_link", "result", "app", "owner", "server_host")
SEVERITY: Final = ("severity", "urgency", "log_level", "level", "priority")
NUMBERS: Final = {"1": "debug", "2": "info", "3": "warning", "4": "error", "5": "critical", "6": "fatal"}


class Driver(DocumentDriver):
    """Splunk's saved searches: each post is an alert; Splunk never tells its end."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        return 90 if whole.has("search_name") and sum(map(whole.has, MARKS)) >= 2 else 0

    def event(self, part: Part, payload: Part) -> AlertEvent:
        # ``result`` is the first row the search found: any fields at all.
        result = part.part("result")
        name = part.need("search_name")
        word = next((told for field in SEVERITY if (told := result.text(field))), "")
        labels = {
            "alertname": name,
            "instance": result.text("host", "dest", "src", "orig_host"),
            "search_name": name,
            "app": part.text("app"),
            "owner": part.text("owner"),
            "severity": word,
            **{
                field: result.text(field)
                for field in ("index", "source", "sourcetype", "service", "environment")
            },
        }
        rest = {
            field: value for field, value in result.pairs().items() if not field.startswith(("_", "date_"))
        }
        text = {
            "summary": result.text("message", "summary", "description") or name,
            "description": result.text("_raw"),
            "sid": part.text("sid"),
        }
        return AlertEvent(
            labels=filled(labels),
            name=name,
            severity=severity.read(NUMBERS.get(word, word)),
            annotations=filled(rest | text),
            generator_url=part.text("results_link"),
            fingerprint=identity("splunk", part.text("app") or "-", name, labels["instance"] or "-"),
        )
