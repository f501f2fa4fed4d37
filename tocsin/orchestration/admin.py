from typing import Any

import msgspec
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html

from tocsin.db.admin import RecordAdmin
from tocsin.orchestration.models import PipelineDefinition, PipelineRun, StageExecution
from tocsin.orchestration.shown import shown


@admin.register(PipelineDefinition)
class PipelineDefinitionAdmin(RecordAdmin):
    """To be looked at: a change is a new version, and is checked, which the pages and commands see to."""

    list_display = ("name", "version", "priority", "enabled", "updated_at")
    search_fields = ("name",)
    _told = ("name", "description", "version", "matchers", "priority", "enabled", "document", "updated_at")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [*self._told]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [*self._told]

    @admin.display(description="definition; secrets are dots")
    def document(self, found: PipelineDefinition) -> str:
        document = msgspec.json.encode(shown(found.definition))
        return format_html("<pre>{}</pre>", msgspec.json.format(document).decode())


@admin.register(PipelineRun)
class PipelineRunAdmin(RecordAdmin):
    list_display = ("run_id", "incident", "reason", "state", "attempts", "created_at", "finished_at")
    list_select_related = ("incident",)
    search_fields = ("=run_id", "=trace_id")
    search_help_text = "A run's id or a trace id."


@admin.register(StageExecution)
class StageExecutionAdmin(RecordAdmin):
    list_display = ("id", "run", "stage", "state", "attempt", "started_at", "duration_ms", "error")
    list_select_related = ("run",)
    search_fields = ("=run__run_id",)
    search_help_text = "A run's id."
