"""Where messages go (NotificationChannel) and each message on its way (Delivery)."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tocsin.alerts.models import Incident
from tocsin.db.fields import EncryptedJson, JsonText
from tocsin.db.work import Work


class NotificationChannel(models.Model):
    """One destination: a driver and its config, encrypted at rest."""

    name = models.CharField(max_length=100, unique=True)
    driver = models.CharField(max_length=64)
    config = EncryptedJson(default=dict)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Delivery(Work):
    """One message to one channel. ``id`` is its idempotency key, handed to receivers that take one."""

    PENDING, RETRYING, SENT, DEAD = "pending", "retrying", "sent", "dead"
    STATES: ClassVar = [(s, s) for s in (PENDING, RETRYING, SENT, DEAD)]

    id = models.CharField(max_length=32, primary_key=True)
    channel = models.ForeignKey(
        NotificationChannel, models.CASCADE, related_name="deliveries", db_index=False
    )
    incident = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="deliveries")
    run_id = models.CharField(max_length=32, help_text="The pipeline run that asked for it.")
    stage = models.CharField(max_length=64, default="", blank=True, help_text="The node that made it.")
    trace_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, help_text="firing, resolved or test.")
    state = models.CharField(max_length=16, choices=STATES, default=PENDING)
    message = JsonText()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    latency_ms = models.FloatField(null=True, blank=True, help_text="How long the receiver took.")
    answer = models.CharField(max_length=300, default="", blank=True, help_text="What the receiver said.")

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
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel}"
