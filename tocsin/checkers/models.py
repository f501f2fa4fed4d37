"""What checkers found, kept (CheckRun), and what they look at again and again (Monitor)."""

from secrets import token_hex
from typing import ClassVar

from django.conf import settings
from django.db import models

from tocsin.checkers.setup import Setup
from tocsin.core.ids import new_id
from tocsin.db.fields import EncryptedJson, JsonText
from tocsin.db.work import Work


def monitor_id() -> str:
    """``mon_`` and what sorts by age, so that lists are told in that order."""
    return f"mon_{new_id()[:12]}{token_hex(3)}"


class Monitor(Work):
    """A checker that looks at one thing again and again, and its alert when that is not well."""

    UI, API, CLI, FILE = "ui", "api", "cli", "file"
    ORIGINS: ClassVar = [(o, o) for o in (UI, API, CLI, FILE)]
    NEW, DISABLED, FIRING = "new", "disabled", "firing"  # states, besides the status found last
    SHOWN: ClassVar = 40

    id = models.CharField(max_length=24, primary_key=True, default=monitor_id, editable=False)
    name = models.CharField(max_length=100, unique=True)
    checker = models.CharField(max_length=64)
    options = EncryptedJson(default=dict)
    target = models.CharField(max_length=255, default="", blank=True, help_text="What it looks at.")
    host = models.CharField(max_length=255, default="", blank=True, help_text="Empty: where it runs.")
    interval = models.PositiveIntegerField(default=60, help_text="Seconds.")
    jitter = models.FloatField(default=0.1, help_text="A share of the interval.")
    failures = models.PositiveSmallIntegerField(default=3, help_text="In a row, before it fires.")
    recoveries = models.PositiveSmallIntegerField(default=1, help_text="In a row, before it recovers.")
    labels = JsonText(default=dict, help_text="Of its alert.")
    severities = JsonText(default=dict, help_text="What each status is as an alert.")
    enabled = models.BooleanField(default=True)
    origin = models.CharField(max_length=8, choices=ORIGINS, default=UI)
    last_status = models.CharField(max_length=16, default="", blank=True)
    last_message = models.TextField(default="", blank=True)
    last_run_at = models.DateTimeField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True, help_text="Since when that is its status.")
    failing_count = models.PositiveIntegerField(default=0)
    passing_count = models.PositiveIntegerField(default=0)
    firing = models.BooleanField(default=False)
    recent = models.CharField(max_length=SHOWN, default="", blank=True, help_text="Statuses by first letter.")
    changed_at = models.DateTimeField(help_text="When it was set up as it is.")
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["due_at"], name="monitor_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """What it is in a word."""
        if not self.enabled:
            return self.DISABLED
        return self.FIRING if self.firing else self.last_status or self.NEW

    @property
    def url(self) -> str:
        """Its page."""
        return f"{settings.PUBLIC_URL}/monitors/{self.pk}/"

    @property
    def setup(self) -> Setup:
        """How it is set up, secrets in clear."""
        return Setup(**{name: getattr(self, name) for name in Setup.__struct_fields__})


class CheckRun(models.Model):
    """One run of one checker on one machine."""

    ALL, HOURLY, DAILY = 0, 1, 2

    checker = models.CharField(max_length=64)
    instance = models.CharField(max_length=255)
    monitor = models.ForeignKey(Monitor, models.CASCADE, null=True, related_name="runs", db_index=False)
    status = models.CharField(max_length=16)
    message = models.TextField(default="", blank=True)
    metrics = JsonText(default=dict)
    trace_id = models.CharField(max_length=64, default="", blank=True)
    started_at = models.DateTimeField()
    duration_ms = models.FloatField(default=0)
    # What it stands for once others of its hour or day were let go.
    kept = models.PositiveSmallIntegerField(default=ALL, editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["checker", "instance", "-started_at"], name="checkrun_latest"),
            models.Index(fields=["monitor", "id"], name="checkrun_monitor"),
            models.Index(fields=["kept", "started_at"], name="checkrun_age"),
        ]

    def __str__(self) -> str:
        return f"{self.checker} {self.status}"
