"""PipelineDefinition with its PipelineVersions, PipelineRun (one walk through one) and StageExecution (one
node of it)."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tocsin.alerts.models import Incident
from tocsin.db.fields import JsonText
from tocsin.db.sealed import SealedJson
from tocsin.db.work import Work


class PipelineDefinition(models.Model):
    """A pipeline as data: any nodes in any order, for the incidents whose labels it matches.

    Of those that match, the one of the lowest ``priority`` is run. ``definition`` is what its newest
    version holds, the secrets of its nodes sealed: see ``shown``.
    """

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(default="", blank=True)
    definition = SealedJson(default=dict)
    version = models.PositiveIntegerField(default=0, help_text="The newest.")
    matchers = JsonText(
        default=list, help_text="On the labels that its alerts share; all must hold, none match all."
    )
    priority = models.PositiveIntegerField(default=100, help_text="The lowest that matches is run.")
    enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class PipelineVersion(models.Model):
    """What a definition was at some time; never changed, as runs keep the version they began with."""

    definition = models.ForeignKey(PipelineDefinition, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = SealedJson(default=dict)
    made_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "number"], name="version_number"),
        ]

    def __str__(self) -> str:
        return f"{self.definition} {self.number}"


class PipelineRun(Work):
    """One walk of one incident's news through the pipeline."""

    PENDING, INGESTED, CHECKED, ANALYZED, NOTIFIED = "PENDING", "INGESTED", "CHECKED", "ANALYZED", "NOTIFIED"
    FAILED, RETRYING = "FAILED", "RETRYING"
    WAITING = "WAITING"  # for a time or for a person
    COMPLETED = "COMPLETED"  # without a message to anybody
    STATES: ClassVar = [
        (s, s)
        for s in (
            PENDING, INGESTED, CHECKED, ANALYZED, NOTIFIED, FAILED, RETRYING, WAITING, COMPLETED
        )
    ]  # fmt: skip
    OVER: ClassVar = (NOTIFIED, COMPLETED, FAILED)
    UNDER_WAY: ClassVar = (PENDING, INGESTED, CHECKED, ANALYZED)  # while ``due_at`` is set

    run_id = models.CharField(max_length=32, primary_key=True)
    trace_id = models.CharField(max_length=64, db_index=True)
    incident = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="runs")
    version = models.ForeignKey(
        PipelineVersion,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        help_text="Of the definition that it walks; none: the built-in stages.",
    )
    reason = models.CharField(max_length=32, help_text="The change that caused it: fired, resolved …")
    state = models.CharField(max_length=16, choices=STATES, default=PENDING)
    changes = JsonText(default=list, help_text="The journal rows it tells of.")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="run_due"),
            models.Index(
                fields=["state"], condition=Q(state__in=["FAILED", "RETRYING"]), name="run_troubled"
            ),
        ]

    def __str__(self) -> str:
        return self.run_id


class StageExecution(models.Model):
    """One try of one node of a run: what went in, what came out, or why it failed.

    ``exit`` is the way it was left by; empty where it was not left: it will be tried again, or it waits.
    """

    SUCCEEDED, FAILED, WAITING = "succeeded", "failed", "waiting"
    STATES: ClassVar = [(s, s) for s in (SUCCEEDED, FAILED, WAITING)]

    run = models.ForeignKey(PipelineRun, models.CASCADE, related_name="stages")
    stage = models.CharField(max_length=64, help_text="The node's id.")
    type = models.CharField(max_length=64, default="", help_text="The node's type.")
    exit = models.CharField(max_length=16, default="", blank=True, help_text="The way it was left by.")
    state = models.CharField(max_length=16, choices=STATES)
    attempt = models.PositiveIntegerField(default=1)
    input = JsonText(default=dict)
    output = JsonText(default=dict)
    error = models.TextField(default="", blank=True)
    started_at = models.DateTimeField()
    duration_ms = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{self.stage} {self.state}"
