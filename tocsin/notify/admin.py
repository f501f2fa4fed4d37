from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tocsin.core import clock
from tocsin.core.errors import UnknownPlugin
from tocsin.db.admin import RecordAdmin
from tocsin.notify import services
from tocsin.notify.models import Delivery, NotificationChannel


@admin.register(NotificationChannel)
class NotificationChannelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Channels are added on their own page, whose form knows each driver's config."""

    list_display = ("name", "driver", "enabled", "created_at")
    list_filter = ("enabled",)
    search_fields = ("name",)
    fields = ("name", "driver", "enabled", "masked_config", "created_at")
    readonly_fields = ("driver", "masked_config", "created_at")

    @admin.display(description="config")
    def masked_config(self, channel: NotificationChannel) -> str:
        """The config without its secrets."""
        try:
            shown: dict[str, Any] = services.masked(channel)
        except UnknownPlugin as error:
            return str(error)
        return ", ".join(f"{name}={value}" for name, value in shown.items())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: NotificationChannel) -> None:
        services.remove_channel(name=obj.name, now=clock.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[NotificationChannel]) -> None:
        for channel in queryset.defer("config"):
            self.delete_model(request, channel)


@admin.register(Delivery)
class DeliveryAdmin(RecordAdmin):
    list_display = ("id", "channel", "kind", "state", "attempts", "created_at", "sent_at", "last_error")
    list_select_related = ("channel",)
    search_fields = ("=id", "=incident__id")
    search_help_text = "A delivery's id, or an incident's number."
