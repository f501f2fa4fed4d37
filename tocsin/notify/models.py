"""Where messages go (NotificationChannel), each message on its way (Delivery), what a channel has of an
incident (Thread), how fast it is served (ChannelPace), and templates of all channels of a driver."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tocsin.alerts.models import Incident
from tocsin.db.fields import EncryptedJson, JsonText
from tocsin.db.work import Work
from tocsin.notify.drivers import MODES


class NotificationChannel(models.Model):
    """One destination: a driver and its config, encrypted at rest.

    What is left empty is as the driver has it.
    """

    name = models.CharField(max_length=100, unique=True)
    driver = models.CharField(max_length=64)
    config = EncryptedJson(default=dict)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    mode = models.CharField(
        max_length=16, choices=[(mode, mode) for mode in MODES], default="", db_default="", blank=True,
        help_text="What becomes of later news of an incident.",
    )  # fmt: skip
    per_minute = models.FloatField(
        null=True, blank=True, help_text="How many messages a minute it gets at most."
    )
    digest_above = models.PositiveIntegerField(
        null=True, blank=True, help_text="When more messages wait they are folded into one; 0: never."
    )
    fallback = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="stands_in_for", db_index=False,
        help_text="The channel that gets what this one refuses for good.",
    )  # fmt: skip
    send_resolved = models.BooleanField(default=True, db_default=True, help_text="Tell when it is over.")
    subject_template = models.TextField(default="", db_default="", blank=True)
    body_template = models.TextField(default="", db_default="", blank=True)

    def __str__(self) -> str:
        return self.name


class Delivery(Work):
    """One message to one channel. ``id`` is its idempotency key, handed to receivers that take one."""

    PENDING, RETRYING, SENT, DEAD = "pending", "retrying", "sent", "dead"
    FOLDED = "folded"  # another message says it
    STATES: ClassVar = [(s, s) for s in (PENDING, RETRYING, SENT, DEAD, FOLDED)]

    id = models.CharField(max_length=32, primary_key=True)
    channel = models.ForeignKey(
        NotificationChannel, models.CASCADE, related_name="deliveries", db_index=False
    )
    incident = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="deliveries")
    run_id = models.CharField(max_length=32, help_text="The pipeline run that asked for it.")
    stage = models.CharField(max_length=64, default="", blank=True, help_text="The node that made it.")
    trace_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, help_text="firing, acknowledged, resolved, digest or test.")
    state = models.CharField(max_length=16, choices=STATES, default=PENDING)
    message = JsonText()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    latency_ms = models.FloatField(null=True, blank=True, help_text="How long the receiver took.")
    answer = models.CharField(max_length=300, default="", blank=True, help_text="What the receiver said.")
    folded_into = models.CharField(
        max_length=32, default="", db_default="", blank=True, help_text="The message that says it instead."
    )
    failures = JsonText(
        default=list,
        db_default=[],
        help_text="The tries that failed: when, how long, why. The newest last.",
    )

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run_id", "channel", "stage"], name="delivery_once_a_stage"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["channel", "due_at"], condition=Q(due_at__isnull=False), name="delivery_due"
            ),
            models.Index(
                fields=["incident", "channel", "id"], condition=Q(due_at__isnull=False), name="delivery_order"
            ),
            models.Index(fields=["state", "created_at"], condition=Q(state="dead"), name="delivery_dead"),
            models.Index(fields=["folded_into"], condition=~Q(folded_into=""), name="delivery_folded"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel}"


class Thread(models.Model):
    """What a channel has of an incident: by ``handle`` its service finds the message that later ones change
    or answer."""

    channel = models.ForeignKey(NotificationChannel, models.CASCADE, related_name="threads", db_index=False)
    incident = models.ForeignKey(Incident, models.CASCADE, related_name="threads")
    handle = JsonText(default=dict)
    told_at = models.DateTimeField(null=True, help_text="When it was, or will be, told last by a route.")
    repeat_every = models.PositiveIntegerField(null=True, help_text="Seconds, while nobody acts.")
    repeat_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["channel", "incident"], name="thread_of_incident"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["repeat_at"], condition=Q(repeat_at__isnull=False), name="thread_repeat"),
        ]

    def __str__(self) -> str:
        return f"{self.incident} in {self.channel}"


class ChannelPace(models.Model):
    """How fast a channel is served, and whether it answers; ``pace.py`` says what follows."""

    channel = models.OneToOneField(NotificationChannel, models.CASCADE, primary_key=True, related_name="pace")
    tokens = models.FloatField(default=0)
    filled_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    paused_until = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    tell_at = models.DateTimeField(null=True, help_text="When people hear that it fails, or works again.")
    told = models.BooleanField(default=False)
    last_error = models.TextField(default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tell_at"], condition=Q(tell_at__isnull=False), name="pace_tell"),
        ]

    def __str__(self) -> str:
        return str(self.channel_id)


class DriverTemplates(models.Model):
    """What messages say by all channels of a driver that have no templates of their own."""

    driver = models.CharField(max_length=64, primary_key=True)
    subject_template = models.TextField(default="", blank=True)
    body_template = models.TextField(default="", blank=True)

    class Meta:
        verbose_name_plural = "driver templates"

    def __str__(self) -> str:
        return self.driver


class RoutingTree(models.Model):
    """Who gets what, as somebody wrote it; the newest is in force. One without a document: everybody gets
    everything."""

    document = JsonText(null=True)
    digest = models.CharField(max_length=64, help_text="Of the document.")
    note = models.CharField(max_length=300, default="", blank=True, help_text="Where it came from.")
    made_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.pk}"
