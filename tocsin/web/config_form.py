"""A form made from a plug-in's Config: it asks for what that declares, and has it validate."""

from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from django import forms
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from tocsin.web.form_fields import LinesField, PairsField

_ACRONYMS: Final = {
    "url": "URL", "smtp": "SMTP", "api": "API", "id": "ID", "tls": "TLS", "dsn": "DSN", "cpu": "CPU",
    "tcp": "TCP", "udp": "UDP", "ca": "CA", "http": "HTTP", "dns": "DNS", "json": "JSON", "raid": "RAID",
}  # fmt: skip
_WORDING: Final = {"^https?://": "It must begin with http:// or https://."}  # of patterns, which nobody reads
_PLAIN: Final = (str, int, float, SecretStr)


class ConfigForm(forms.Form):
    """A subclass declares what it asks for besides, under names that no Config has."""

    template_name = "web/form.html"

    def __init__(self, config: type[BaseModel], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._config = config
        for name, info in config.model_fields.items():
            self.fields[name] = _field(name, info)

    @property
    def given(self) -> dict[str, Any]:
        """The values for the Config; what was left empty is left to its default."""
        return {
            name: self.cleaned_data[name]
            for name in self._config.model_fields
            if self.cleaned_data.get(name) not in (None, "", [], {})
        }

    def clean(self) -> dict[str, Any]:
        try:
            self._config.model_validate(self.given)
        except ValidationError as error:
            for problem in error.errors():
                field = str(problem["loc"][0]) if problem["loc"] else None
                if field is None or field not in self.errors:
                    self.add_error(field, _said(problem))
        return self.cleaned_data


def titled(name: str) -> str:
    """A name as people write it: ``json_value`` is ``JSON value``."""
    words = " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def _said(problem: ErrorDetails) -> str:
    pattern = problem.get("ctx", {}).get("pattern", "")
    return _WORDING.get(pattern) or problem["msg"].removeprefix("Value error, ")


def _field(name: str, info: FieldInfo) -> forms.Field:
    """The form field for one of a Config's; pydantic reads the rest from text by itself."""
    common: dict[str, Any] = {
        "label": titled(name),
        "help_text": info.description or "",
        "required": info.is_required(),
    }
    if info.default not in (PydanticUndefined, None) and not isinstance(info.default, SecretStr):
        common["initial"] = info.default
    return _of_kind(_wanted(info.annotation), common)


def _of_kind(kind: Any, common: dict[str, Any]) -> forms.Field:
    if get_origin(kind) is Literal:
        return forms.ChoiceField(choices=[(value, value) for value in get_args(kind)], **common)
    if get_origin(kind) in (list, dict):
        plain = all(part in _PLAIN for part in get_args(kind))
        if not plain:
            return forms.JSONField(widget=forms.Textarea(attrs={"rows": 3}), **common)
        return PairsField(**common) if get_origin(kind) is dict else LinesField(**common)
    if kind is bool:
        return forms.BooleanField(**{**common, "required": False})
    if kind is int:
        return forms.IntegerField(**common)
    if kind is float:
        return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **common)
    if kind is SecretStr:
        secret = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        return forms.CharField(widget=secret, **common)
    return forms.CharField(**common)


def _wanted(annotation: Any) -> Any:
    """A type without its ``None``."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    return next((kind for kind in get_args(annotation) if kind is not NoneType), annotation)
