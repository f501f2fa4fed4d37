from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tocsin.accounts import services
from tocsin.accounts.models import ApiKey, SignInLink
from tocsin.core import clock
from tocsin.db.admin import RecordAdmin


@admin.register(ApiKey)
class ApiKeyAdmin(RecordAdmin):
    """Keys are made by ``tocsin api_key create``, which shows them once; here they can be revoked."""

    list_display = ("name", "prefix", "scope", "created_at", "revoked_at")
    search_fields = ("name",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """End their life."""
        for key in keys.filter(revoked_at=None):
            services.revoke_api_key(name=key.name, now=clock.now())

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["name", "prefix", "scope", "created_at", "revoked_at"]


@admin.register(SignInLink)
class SignInLinkAdmin(RecordAdmin):
    list_display = ("user", "expires_at", "used_at")
    list_select_related = ("user",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["user", "expires_at", "used_at"]
