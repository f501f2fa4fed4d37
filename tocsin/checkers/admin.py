from django.contrib import admin

from tocsin.checkers.models import CheckRun, Monitor
from tocsin.db.admin import RecordAdmin


@admin.register(CheckRun)
class CheckRunAdmin(RecordAdmin):
    list_display = ("checker", "instance", "status", "message", "started_at", "duration_ms")
    search_fields = ("=checker",)
    search_help_text = "A checker's name."


@admin.register(Monitor)
class MonitorAdmin(RecordAdmin):
    list_display = ("name", "checker", "target", "enabled", "last_status", "firing", "last_run_at", "origin")
    search_fields = ("name", "target")
    search_help_text = "A monitor's name or target."
