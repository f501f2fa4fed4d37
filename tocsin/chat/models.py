"""Presses: which buttons were pressed lately, so that one that is told of again does nothing twice."""

from django.db import models


class Press(models.Model):
    """One press of a button, or one form sent in. Slack tells of it again when it hears no answer."""

    key = models.CharField(max_length=64, primary_key=True, help_text="Of who pressed what, and when.")
    at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "presses"

    def __str__(self) -> str:
        return self.key
