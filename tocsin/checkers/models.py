"""What a checker found, kept."""

from typing import ClassVar

from django.db import models

from tocsin.db.fields import JsonText


class CheckRun(models.Model):
    """One run of one checker on one machine."""

    checker = models.CharField(max_length=64)
    instance = models.CharField(max_length=255)
    status = models.CharField(max_length=16)
    message = models.TextField(default="", blank=True)
    metrics = JsonText(default=dict)
    trace_id = models.CharField(max_length=64, default="", blank=True)
    started_at = models.DateTimeField(db_index=True)
    duration_ms = models.FloatField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["checker", "instance", "-started_at"], name="checkrun_latest")
        ]

    def __str__(self) -> str:
        return f"{self.checker} {self.status}"
