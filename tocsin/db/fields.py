"""Column types that all databases hold alike."""

from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from tocsin.core.errors import Misconfigured

if TYPE_CHECKING:
    _Text = models.TextField[Any, Any]
else:
    _Text = models.TextField


class JsonText(_Text):
    """A JSON value in a text column.

    Django's JSONField would have every row parsed and checked once more by the database; nothing
    here queries inside the value.
    """

    _pyi_private_set_type: Any  # what the type checker's Django plug-in reads
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, *_: object) -> object:
        return None if value is None else msgspec.json.decode(value)

    def to_python(self, value: object) -> object:
        return value

    def get_prep_value(self, value: object) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""


def encrypted(value: object) -> str:
    """A JSON value under the first of ``TOCSIN_SECRET_KEYS``."""
    return _vault().encrypt(msgspec.json.encode(value)).decode()


def decrypted(token: str) -> Any:
    """What was encrypted under one of ``TOCSIN_SECRET_KEYS``. Raises Misconfigured."""
    try:
        return msgspec.json.decode(_vault().decrypt(token))
    except InvalidToken as error:
        raise Misconfigured(
            "a stored secret cannot be decrypted: TOCSIN_SECRET_KEYS lacks the key it was written with"
        ) from error


def _vault() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SECRET_KEYS])


class EncryptedJson(JsonText):
    """A JSON value encrypted at rest under ``TOCSIN_SECRET_KEYS``."""

    def from_db_value(self, value: str | None, *_: object) -> object:
        return None if value is None else decrypted(value)

    def get_prep_value(self, value: object) -> str | None:
        return None if value is None else encrypted(value)
