"""What the admin pages of all apps share."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html

from tocsin.db.fields import EncryptedJson, JsonText

COUNTED: Final = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than people page, so that a table of millions opens as fast as a small one."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin pages query sets
        return rows.order_by()[:COUNTED].count()


class RecordAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that Tocsin writes: to be looked at, not edited. Newest first; sorting by a column without
    an index would read the whole table."""

    ordering = ("-pk",)
    sortable_by = ()
    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50

    @cached_property
    def _shown(self) -> list[Any]:
        columns = [field for field in self.opts.fields if not isinstance(field, EncryptedJson)]
        return [as_json(field) if isinstance(field, JsonText) else field.name for field in columns]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self._shown

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self._shown

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def as_json(field: "Field[Any, Any]") -> Callable[[Model], str]:
    """A read-only admin field that shows a column's value as indented JSON."""

    @admin.display(description=str(field.verbose_name))
    def shown(row: Model) -> str:
        value = msgspec.json.encode(field.value_from_object(row))
        return format_html("<pre>{}</pre>", msgspec.json.format(value, indent=2).decode())

    return shown
