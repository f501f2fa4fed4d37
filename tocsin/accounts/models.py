"""Keys that programs use and one-time links that sign people in, both kept as hashes only, and who people are
in chat."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class ApiKey(models.Model):
    """A key for programs, sent as ``Authorization: Bearer …``."""

    INGEST, READ, WRITE = "ingest", "read", "write"
    SCOPES: ClassVar = [(s, s) for s in (INGEST, READ, WRITE)]

    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(
        max_length=16, editable=False, help_text="Its first characters, to tell keys apart."
    )
    scope = models.CharField(max_length=16, choices=SCOPES, default=INGEST)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return self.name


class SignInLink(models.Model):
    """A link that signs one person in, once, within its time."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"for {self.user}"


class ChatIdentity(models.Model):
    """Who a member of a chat service's workspace is here."""

    SLACK = "slack"

    service = models.CharField(max_length=16)
    team = models.CharField(max_length=64, help_text="The workspace, by the service's own id.")
    member = models.CharField(max_length=64, help_text="The member, by the service's own id.")
    name = models.CharField(max_length=150, default="", blank=True, help_text="The member's name there.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="chat_identities")
    linked_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "chat identities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "team", "member"], name="chat_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.member} in {self.service} is {self.user}"
