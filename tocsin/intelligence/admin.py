from django.contrib import admin

from tocsin.db.admin import RecordAdmin
from tocsin.intelligence.models import AnalysisRun


@admin.register(AnalysisRun)
class AnalysisRunAdmin(RecordAdmin):
    list_display = ("provider", "incident_id", "started_at", "duration_ms", "error")
    search_fields = ("=incident_id",)
    search_help_text = "An incident's number."
