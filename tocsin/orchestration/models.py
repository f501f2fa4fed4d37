"""PipelineRun (one walk through the stages), StageExecution (one stage of it), PipelineDefinition."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tocsin.alerts.models import Incident
from tocsin.db.fields import JsonText
from tocsin.db.work import Work


class PipelineDefinition(models.Model):
    """A pipeline as data: any nodes in any order."""

    name = models.CharField(max_length=100, unique=True)
    definition = JsonText(default=dict)
    enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class PipelineRun(Work):
    """One walk of one incident's news through the pipeline."""

    PENDING, INGESTED, CHECKED, ANALYZED, NOTIFIED = "PENDING", "INGESTED", "CHECKED", "ANALYZED", "NOTIFIED"
    FAILED, RETRYING = "FAILED", "RETRYING"
    STATES: ClassVar = [(s, s) for s in (PENDING, INGESTED, CHECKED, ANALYZED, NOTIFIED, FAILED, RETRYING)]

    run_id = models.CharField(max_length=32, primary_key=True)
    trace_id = models.CharField(max_length=64, db_index=True)
    incident = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="runs")
    definition = models.ForeignKey(PipelineDefinition, models.SET_NULL, null=True, blank=True, db_index=False)
    reason = models.CharField(max_length=32, help_text="The change that caused it: fired, resolved …")
    state = models.CharField(max_length=16, choices=STATES, default=PENDING)
    stages_done = models.PositiveSmallIntegerField(
        default=0, help_text="Stages that succeeded; it goes on after them."
    )
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
    """One stage of a run: what went in, what came out, or why it failed."""

    SUCCEEDED, FAILED = "succeeded", "failed"
    STATES: ClassVar = [(SUCCEEDED, SUCCEEDED), (FAILED, FAILED)]

    run = models.ForeignKey(PipelineRun, models.CASCADE, related_name="stages")
    stage = models.CharField(max_length=16)
    state = models.CharField(max_length=16, choices=STATES)
    attempt = models.PositiveIntegerField(default=1)
    input = JsonText(default=dict)
    output = JsonText(default=dict)
    error = models.TextField(default="", blank=True)
    started_at = models.DateTimeField()
    duration_ms = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{self.stage} {self.state}"
