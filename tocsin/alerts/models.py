"""Alert (one row per fingerprint), AlertHistory (its journal, at once outbox), Incident, Silence."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from tocsin.core import severity
from tocsin.db.fields import JsonText

SEVERITIES = [(level, level) for level in severity.RANK]


class Incident(models.Model):
    """One problem for people: the alerts that share the grouping labels, from first to last."""

    OPEN, ACKNOWLEDGED, RESOLVED, CLOSED = "open", "acknowledged", "resolved", "closed"
    STATUSES: ClassVar = [(s, s) for s in (OPEN, ACKNOWLEDGED, RESOLVED, CLOSED)]

    title = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=STATUSES, default=OPEN)
    severity = models.CharField(max_length=16, choices=SEVERITIES, help_text="The worst seen in it.")
    labels = JsonText(default=dict, help_text="The grouping labels and their values.")
    # Set while alerts may still join; NULL once closed, so that each group has one live incident at most.
    live_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    firing = models.PositiveIntegerField(default=0, help_text="Alerts in it that fire now.")
    total = models.PositiveIntegerField(default=0, help_text="Times an alert fired in it.")
    trace_id = models.CharField(max_length=64)
    opened_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, default="", blank=True)
    assigned_to = models.CharField(max_length=150, default="", db_default="", blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    close_at = models.DateTimeField(null=True, editable=False)
    told = models.BooleanField(default=False, db_default=False, help_text="People know that it is open.")
    taken = models.BooleanField(
        default=False, db_default=False, editable=False,
        help_text="Somebody took it on or let go of it, and channels do not show it yet.",
    )  # fmt: skip

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["taken"], condition=Q(taken=True), name="incident_taken"),
            models.Index(fields=["status", "-id"], name="incident_status"),
            models.Index(fields=["updated_at"], name="incident_updated"),
            models.Index(fields=["close_at"], condition=Q(close_at__isnull=False), name="incident_close"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def live(self) -> bool:
        """Whether somebody still has to act."""
        return self.status in (self.OPEN, self.ACKNOWLEDGED)


class Alert(models.Model):
    """The current state of one fingerprint."""

    FIRING, RESOLVED = "firing", "resolved"
    STATUSES: ClassVar = [(FIRING, FIRING), (RESOLVED, RESOLVED)]

    fingerprint = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=STATUSES)
    severity = models.CharField(max_length=16, choices=SEVERITIES)
    source = models.CharField(max_length=64, help_text="The driver that read it.")
    labels = JsonText(default=dict)
    annotations = JsonText(default=dict)
    generator_url = models.TextField(default="", blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When it last ended; while it fires, the episode before did."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    timed_out = models.BooleanField(default=False, help_text="It ended because its source fell silent.")
    episode = models.PositiveIntegerField(default=1, help_text="How often it has fired.")
    seen_at = models.DateTimeField(help_text="When its source last spoke of it.")
    incident = models.ForeignKey(
        Incident, models.SET_NULL, null=True, blank=True, related_name="alerts", db_index=False
    )
    silenced_by = models.CharField(
        max_length=36,
        default="",
        db_default="",
        blank=True,
        help_text="The silence for which nobody was told that it fires.",
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["incident"], condition=Q(incident__isnull=False), name="alert_incident"),
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="alert_expires"),
            models.Index(fields=["silenced_by"], condition=Q(silenced_by__gt=""), name="alert_silenced"),
        ]

    def __str__(self) -> str:
        return self.name


class AlertHistory(models.Model):
    """The journal: every material change of an alert, and what people did to an incident.

    A row whose ``decision`` is empty is work for correlation. Append-only: nothing but the decision
    and its reason is written later. A row may be about an alert that was never stored: its end came first.
    """

    PENDING, GROUPED, IGNORED, ACTION = "", "grouped", "ignored", "action"
    SILENCED, FOLDED = "silenced", "folded"

    alert = models.ForeignKey(Alert, models.SET_NULL, null=True, related_name="history", db_index=False)
    fingerprint = models.CharField(max_length=64, default="", blank=True)
    kind = models.CharField(max_length=16, help_text="fired, refired, severity, resolved, expired … ")
    severity = models.CharField(max_length=16, default="", blank=True)
    source = models.CharField(max_length=64, default="", blank=True)
    episode = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(help_text="When it happened, by the source's clock.")
    received_at = models.DateTimeField()
    trace_id = models.CharField(max_length=64)
    actor = models.CharField(max_length=150, default="", blank=True)
    incident = models.ForeignKey(Incident, models.SET_NULL, null=True, related_name="history", db_index=False)
    decision = models.CharField(max_length=16, default=PENDING, blank=True)
    reason = models.TextField(default="", blank=True)

    class Meta:
        verbose_name_plural = "alert history"
        indexes: ClassVar = [
            models.Index(fields=["decision", "id"], condition=Q(decision=""), name="history_pending"),
            models.Index(fields=["alert"], condition=Q(alert__isnull=False), name="history_alert"),
            models.Index(fields=["incident"], condition=Q(incident__isnull=False), name="history_incident"),
            models.Index(fields=["fingerprint"], condition=Q(decision="ignored"), name="history_ignored"),
            models.Index(fields=["trace_id"], name="history_trace"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}".strip()


class Source(models.Model):
    """A sender with a token of its own, in whatever place its protocol has for one. Its alerts bear its
    name as label ``source``."""

    name = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=8, editable=False, help_text="Its token's first characters.")
    labels = JsonText(default=dict, help_text="For its alerts that lack them.")
    mapping = JsonText(
        default=dict, help_text="How what it posts to its own URL is read; empty: by a driver."
    )
    group_by = JsonText(
        default=list, help_text="Labels that put its alerts into one incident; empty: as usual."
    )
    budget = models.PositiveIntegerField(
        null=True, blank=True, help_text="Incidents it may open a minute; empty: as usual, 0: no limit."
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class IncidentBudget(models.Model):
    """What is left of the incidents that a source may open before the rest is folded into one."""

    payer = models.CharField(max_length=80, unique=True, help_text="A driver, or “source” and its name.")
    left_over = models.FloatField()
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.payer


class Silence(models.Model):
    """People need not hear of alerts that meet all its matchers, for a time."""

    PENDING, ACTIVE, EXPIRED = "pending", "active", "expired"

    id = models.CharField(max_length=36, primary_key=True, help_text="A UUID.")
    matchers = JsonText(default=list, help_text="In the shape of Alertmanager's API.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, default="", blank=True)
    comment = models.TextField(default="", blank=True)
    annotations = JsonText(default=dict)
    updated_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["ends_at"], name="silence_ends")]

    def __str__(self) -> str:
        return self.id

    def state(self, now: datetime) -> str:
        """Whether it is still to come, in force or over."""
        if self.ends_at <= now:
            return self.EXPIRED
        return self.PENDING if self.starts_at > now else self.ACTIVE


class ParkedPayload(models.Model):
    """What somebody posted and nothing could be read from, so that a mapping can be made of it."""

    received_at = models.DateTimeField()
    trace_id = models.CharField(max_length=64)
    driver = models.CharField(max_length=64, default="", blank=True, help_text="The one that was named.")
    content_type = models.CharField(max_length=128, default="", blank=True)
    size = models.PositiveIntegerField(help_text="Bytes that were sent; the body may hold fewer.")
    body = models.BinaryField()
    reason = models.TextField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.reason[:80]}"

    @property
    def text(self) -> str:
        """The body for people to read."""
        return bytes(self.body).decode("utf-8", "replace")
