from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tocsin.alerts import sources
from tocsin.alerts.models import Alert, AlertHistory, Incident, ParkedPayload, Silence, Source
from tocsin.db.admin import RecordAdmin, as_json


@admin.register(Incident)
class IncidentAdmin(RecordAdmin):
    list_display = ("id", "title", "status", "severity", "firing", "total", "opened_at", "updated_at")
    list_display_links = ("id", "title")
    list_filter = ("status",)
    search_fields = ("title",)
    search_help_text = "Part of the title."


@admin.register(Alert)
class AlertAdmin(RecordAdmin):
    list_display = (
        "name",
        "status",
        "severity",
        "source",
        "fingerprint",
        "incident",
        "started_at",
        "seen_at",
    )
    list_select_related = ("incident",)
    search_fields = ("=fingerprint",)
    search_help_text = "A fingerprint."


@admin.register(Source)
class SourceAdmin(RecordAdmin):
    """Sources are made by ``tocsin source create``, which shows their tokens once; here they can be
    revoked."""

    list_display = ("name", "prefix", "enabled", "created_at")
    search_fields = ("name",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected sources", permissions=["revoke"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Source]) -> None:
        """End their tokens' life."""
        for row in rows.filter(enabled=True):
            sources.revoke_source(name=row.name)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("alerts.change_source")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["name", "prefix", as_json(Source._meta.get_field("labels")), "enabled", "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self.get_fields(request, obj)


@admin.register(AlertHistory)
class AlertHistoryAdmin(RecordAdmin):
    list_display = (
        "id",
        "received_at",
        "kind",
        "alert",
        "severity",
        "actor",
        "decision",
        "reason",
        "incident",
    )
    list_select_related = ("alert", "incident")
    search_fields = ("=trace_id",)
    search_help_text = "A trace id."


@admin.register(Silence)
class SilenceAdmin(RecordAdmin):
    list_display = ("id", "created_by", "comment", "starts_at", "ends_at", "updated_at")
    ordering = ("-ends_at",)
    search_fields = ("=id",)
    search_help_text = "An id."


@admin.register(ParkedPayload)
class ParkedPayloadAdmin(RecordAdmin):
    list_display = ("id", "received_at", "driver", "content_type", "size", "reason")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["received_at", "trace_id", "driver", "content_type", "size", "reason", "text"]

    get_readonly_fields = get_fields
