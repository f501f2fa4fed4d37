"""What a provider recommended, kept."""

from django.db import models

from tocsin.db.fields import JsonText


class AnalysisRun(models.Model):
    """One analysis by a provider. A run's own findings stand in its ANALYZE stage; rows here are
    those that people or programs asked for."""

    provider = models.CharField(max_length=64)
    incident_id = models.BigIntegerField(null=True, db_index=True)
    recommendations = JsonText(default=list)
    error = models.TextField(default="", blank=True)
    trace_id = models.CharField(max_length=64, default="", blank=True)
    started_at = models.DateTimeField(db_index=True)
    duration_ms = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{self.provider} {self.started_at:%Y-%m-%d %H:%M}"
