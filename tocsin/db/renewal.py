"""All that is encrypted in the database, written again under the key that is the current one."""

from collections.abc import Iterator
from typing import Any

import msgspec
from django.apps import apps
from django.db import models, transaction

from tocsin.core.errors import Misconfigured
from tocsin.db.fields import EncryptedJson
from tocsin.db.sealed import SealedJson, holds, renewed


class Renewal(msgspec.Struct):
    """How many rows were written; ``lost`` are those whose key is not there any more: they stay."""

    rows: int
    lost: list[str]


def renew() -> Renewal:
    """Write it row by row, while Tocsin runs or not."""
    done = Renewal(0, [])
    for model, field in _columns():
        for pk in list(model._base_manager.order_by("pk").values_list("pk", flat=True)):
            try:
                done.rows += _write(model, field, pk)
            except Misconfigured:
                row = model._base_manager.defer(field.name).filter(pk=pk).first()
                done.lost.append(f"{model._meta.verbose_name} {row}")
    return done


def _columns() -> Iterator[tuple[type[models.Model], EncryptedJson | SealedJson]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedJson | SealedJson):
                yield model, field


def _write(model: type[models.Model], field: EncryptedJson | SealedJson, pk: Any) -> int:
    with transaction.atomic():
        row = model._base_manager.select_for_update().filter(pk=pk)
        (value,) = row.values_list(field.name, flat=True) or (None,)
        if isinstance(field, SealedJson):
            value = renewed(value) if holds(value) else None
        return 0 if value is None else row.update(**{field.name: value})
