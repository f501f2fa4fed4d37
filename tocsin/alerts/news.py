"""What correlation hands on: an incident, and the changes people should hear of."""

from datetime import datetime

import msgspec


class ChangedAlert(msgspec.Struct, gc=False):
    """One alert's material change, as the journal tells it."""

    history_id: int
    kind: str
    fingerprint: str
    name: str
    severity: str
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    started_at: datetime
    ended_at: datetime | None


class News(msgspec.Struct, gc=False):
    """Changes of one incident that make one run. ``reason`` is the first change's kind."""

    incident_id: int
    title: str
    status: str
    severity: str
    labels: dict[str, str]
    firing: int
    total: int
    opened_at: datetime
    trace_id: str
    reason: str
    changes: list[ChangedAlert]
    actor: str = ""  # who did it, where a person did

    def all_labels(self) -> dict[str, str]:
        """The labels that hold for all of it: those that its changed alerts share, its severity, and those it
        is grouped by."""
        said = [change.labels for change in self.changes]
        shared = said[0] if said else {}
        if len(said) > 1:
            shared = {k: v for k, v in shared.items() if all(labels.get(k) == v for labels in said)}
        return {**shared, "severity": self.severity, **self.labels}
