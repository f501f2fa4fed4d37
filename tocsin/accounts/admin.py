from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tocsin.accounts import services
from tocsin.accounts.models import ApiKey, ChatIdentity, SignInLink
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


@admin.register(ChatIdentity)
class ChatIdentityAdmin(RecordAdmin):
    """People link themselves; here a link can be taken away."""

    list_display = ("user", "service", "team", "member", "name", "linked_at")
    list_select_related = ("user",)
    search_fields = ("member", "name")
    actions = ("unlink",)

    @admin.action(description="Unlink selected members", permissions=["unlink"])
    def unlink(self, request: HttpRequest, identities: QuerySet[ChatIdentity]) -> None:
        """They may do nothing more until they link themselves again."""
        services.unlink_chat(identities=identities)

    def has_unlink_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.delete_chatidentity")
