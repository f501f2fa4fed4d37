"""Heartbeat (what must come again and again), Ping (each time it came), Instance (a machine with an agent),
Command (what such a machine is asked to run), Enrolment (how it gets its key), Event (the feed)."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from tocsin.db.fields import EncryptedJson, JsonText
from tocsin.fleet.schedule import GRACE, Schedule


class Heartbeat(models.Model):
    """A job, or anything else, that tells that it lives; its silence is an alert."""

    NEW, UP, DOWN, PAUSED = "new", "up", "down", "paused"
    LATE, RUNNING = "late", "running"  # seen by the clock, never stored
    STATES: ClassVar = [(s, s) for s in (NEW, UP, DOWN, PAUSED)]
    SUCCESS, START, FAILURE = "success", "start", "failure"

    name = models.CharField(max_length=100, unique=True)
    token = EncryptedJson(help_text="The secret in its ping URL.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    labels = JsonText(default=dict, help_text="Of its alerts.")
    period = models.PositiveIntegerField(null=True, blank=True, help_text="Seconds.")
    cron = models.CharField(max_length=100, default="", blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    grace = models.PositiveIntegerField(default=GRACE, help_text="Seconds it may be late.")
    state = models.CharField(max_length=16, choices=STATES, default=NEW)
    started_at = models.DateTimeField(null=True, blank=True, help_text="Of the run under way.")
    run = models.CharField(max_length=64, default="", blank=True, help_text="Which run that is.")
    last_ping_at = models.DateTimeField(null=True, blank=True)
    last_signal = models.CharField(max_length=16, default="", blank=True)
    last_exit_status = models.IntegerField(null=True, blank=True)
    last_duration = models.FloatField(null=True, blank=True, help_text="Seconds.")
    last_text = models.TextField(default="", blank=True, help_text="What it printed.")
    trace_id = models.CharField(max_length=64, default="", blank=True, help_text="Of the last ping.")
    expected_at = models.DateTimeField(null=True, blank=True)
    down_since = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(default="", blank=True, help_text="Why it is down.")
    # When the watch must look at it next; NULL where nothing but a ping can change its state.
    due_at = models.DateTimeField(null=True, editable=False)
    sender = models.CharField(max_length=64, default="", blank=True, help_text="The source that made it.")
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="heartbeat_due"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def schedule(self) -> Schedule:
        """When it is to come."""
        return Schedule(self.period, self.cron, self.timezone, self.grace)

    @property
    def overdue_at(self) -> datetime | None:
        """From when on its silence is an alert."""
        if not self.schedule:
            return None
        waits = [moment for moment in (self.expected_at, self.started_at) if moment]
        return min(waits) + timedelta(seconds=self.grace) if waits else None

    def seen_at(self, now: datetime) -> str:
        """Its state, as it looks at a moment: also ``running``, and ``late`` within its grace."""
        if self.state in (self.DOWN, self.PAUSED):
            return self.state
        if self.started_at:
            return self.RUNNING
        if self.schedule and self.expected_at and self.expected_at <= now:
            return self.LATE
        return self.state


class Ping(models.Model):
    """One sign of life; the newest of each heartbeat are kept."""

    heartbeat = models.ForeignKey(Heartbeat, models.CASCADE, related_name="pings", db_index=False)
    at = models.DateTimeField()
    signal = models.CharField(max_length=16)
    exit_status = models.IntegerField(null=True, blank=True)
    duration = models.FloatField(null=True, blank=True, help_text="Seconds.")
    run = models.CharField(max_length=64, default="", blank=True)
    text = models.TextField(default="", blank=True)
    trace_id = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["heartbeat", "id"], name="ping_heartbeat")]

    def __str__(self) -> str:
        return f"{self.signal} at {self.at:%Y-%m-%d %H:%M:%S}"


class Instance(models.Model):
    """A machine whose agent pushes here; its silence is an alert."""

    UP, SILENT = "up", "silent"
    STATES: ClassVar = [(s, s) for s in (UP, SILENT)]

    instance_id = models.CharField(max_length=255, unique=True)
    hostname = models.CharField(max_length=255, default="", blank=True)
    version = models.CharField(max_length=64, default="", blank=True, help_text="Of its agent.")
    address = models.CharField(max_length=64, default="", blank=True, help_text="Where it pushed from last.")
    state = models.CharField(max_length=16, choices=STATES, default=UP)
    status = models.CharField(max_length=16, default="ok", help_text="The worst that its checks found last.")
    checks = JsonText(default=dict, help_text="What each check found last.")
    interval = models.PositiveIntegerField(default=0, help_text="Seconds between its pushes.")
    lag = models.FloatField(default=0, help_text="How old what it pushed last was, in seconds.")
    clock_offset = models.FloatField(default=0, help_text="Seconds that its clock is ahead of this one.")
    waiting = models.PositiveIntegerField(default=0, help_text="Rounds of checks that it still holds.")
    dropped = JsonText(default=dict, help_text="What it had to drop, by kind.")
    allows = JsonText(default=dict, help_text="The commands that its own configuration allows.")
    listened_at = models.DateTimeField(null=True, blank=True, help_text="When it asked for some, roughly.")
    spools = JsonText(default=dict, help_text="The last round taken in, by spool; the newest spools.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    silent_since = models.DateTimeField(null=True, blank=True)
    clock_wrong = models.BooleanField(default=False)
    # When the watch must look at it next; NULL where nothing but a push can change its state.
    due_at = models.DateTimeField(null=True, editable=False)
    key_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)
    key_prefix = models.CharField(max_length=16, default="", blank=True, editable=False)
    key_made_at = models.DateTimeField(null=True, blank=True)
    key_revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="instance_due"),
        ]

    def __str__(self) -> str:
        return self.instance_id


class Command(models.Model):
    """What an instance is asked to run, for a node of a pipeline's run. It names that run and that node and
    knows no more of them."""

    ASKED, TAKEN, DONE, FAILED = "asked", "taken", "done", "failed"
    REFUSED, EXPIRED, INTERRUPTED = "refused", "expired", "interrupted"
    STATES: ClassVar = [(s, s) for s in (ASKED, TAKEN, DONE, FAILED, REFUSED, EXPIRED, INTERRUPTED)]
    OPEN: ClassVar = (ASKED, TAKEN)

    id = models.CharField(max_length=32, primary_key=True)
    instance = models.ForeignKey(
        Instance, models.SET_NULL, null=True, blank=True, related_name="commands", db_index=False
    )
    machine = models.CharField(max_length=255, help_text="The instance's id, also once that is gone.")
    name = models.CharField(max_length=64)
    arguments = JsonText(default=dict)
    run_id = models.CharField(max_length=32)
    node = models.CharField(max_length=64)
    trace_id = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=STATES, default=ASKED)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="From then on nobody waits for it.")
    taken_at = models.DateTimeField(null=True, blank=True)
    taken_by = models.CharField(
        max_length=32, default="", blank=True, help_text="Which process of the agent."
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    took_seconds = models.FloatField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    output = models.TextField(default="", blank=True, help_text="The end of what it said.")
    reason = models.TextField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            # A node asks once, however often it is walked.
            models.UniqueConstraint(fields=["run_id", "node"], name="command_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["instance", "state"], name="command_instance"),
            models.Index(fields=["state", "expires_at"], name="command_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.machine}"


class Enrolment(models.Model):
    """A short-lived token for which an agent gets a key of its own."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=8, editable=False)
    made_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    uses_left = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.prefix}…"


class Event(models.Model):
    """Something that happened and is no alert; the newest are kept."""

    DEBUG, INFO, WARNING, ERROR, CRITICAL = "debug", "info", "warning", "error", "critical"
    LEVELS: ClassVar = [(level, level) for level in (DEBUG, INFO, WARNING, ERROR, CRITICAL)]

    type = models.CharField(max_length=100)
    level = models.CharField(max_length=16, choices=LEVELS, default=INFO)
    message = models.TextField(default="", blank=True)
    source = models.CharField(max_length=200, default="", blank=True)
    correlation_id = models.CharField(max_length=128, default="", blank=True)
    data = JsonText(default=dict)
    at = models.DateTimeField(help_text="When it happened, by its sender's clock.")
    received_at = models.DateTimeField()
    trace_id = models.CharField(max_length=64)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["correlation_id"], condition=Q(correlation_id__gt=""), name="event_trail"),
            models.Index(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message[:80]}".strip()
