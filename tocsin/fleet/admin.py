from django.contrib import admin

from tocsin.db.admin import RecordAdmin
from tocsin.fleet.models import Command, Enrolment, Event, Heartbeat, Instance, Ping


@admin.register(Heartbeat)
class HeartbeatAdmin(RecordAdmin):
    list_display = ("name", "state", "last_ping_at", "last_signal", "expected_at", "due_at", "created_at")
    search_fields = ("name",)


@admin.register(Ping)
class PingAdmin(RecordAdmin):
    list_display = ("id", "heartbeat", "at", "signal", "exit_status", "duration")
    list_select_related = ("heartbeat",)
    search_fields = ("=trace_id",)
    search_help_text = "A trace id."


@admin.register(Event)
class EventAdmin(RecordAdmin):
    list_display = ("id", "received_at", "type", "level", "source", "message", "correlation_id")
    search_fields = ("=correlation_id",)
    search_help_text = "A correlation id."


@admin.register(Instance)
class InstanceAdmin(RecordAdmin):
    list_display = ("instance_id", "state", "status", "last_seen_at", "version", "address", "key_prefix")
    search_fields = ("instance_id", "hostname")


@admin.register(Command)
class CommandAdmin(RecordAdmin):
    list_display = ("id", "asked_at", "machine", "name", "state", "exit_code", "finished_at", "run_id")
    search_fields = ("=run_id", "=trace_id", "machine")
    search_help_text = "A run id, a trace id, or an instance."


@admin.register(Enrolment)
class EnrolmentAdmin(RecordAdmin):
    list_display = ("prefix", "made_by", "created_at", "expires_at", "uses_left")
