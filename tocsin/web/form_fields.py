"""Form fields that several forms share: durations, labels, and lists and maps a line each."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django import forms

from tocsin.alerts.sources import check_labels
from tocsin.core.durations import seconds
from tocsin.core.errors import Rejected

CODE: Final = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
LONGEST: Final = 10_000


def code(**attributes: str) -> forms.TextInput:
    """One line of what is no prose."""
    return forms.TextInput(attrs={**CODE, **attributes})


class DurationField(forms.CharField):
    """A duration as people write it; gives seconds, and None where nothing was written."""

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        try:
            return seconds(text) if text else None
        except Rejected as error:
            raise forms.ValidationError("Write it as 90s, 5m, 1h30m or 2d.") from error


class LabelsField(forms.CharField):
    """Labels, one ``name=value`` a line; what is wrong is told with its line."""

    def __init__(self, help_text: str, example: str, label: str = "Labels") -> None:
        area = forms.Textarea(attrs={**CODE, "rows": 2, "placeholder": example})
        super().__init__(label=label, required=False, max_length=LONGEST, widget=area, help_text=help_text)

    def clean(self, value: Any) -> dict[str, str]:
        lines = enumerate(super().clean(value).splitlines(), start=1)
        return dict(_label(number, line) for number, line in lines if line.strip())


class LinesField(forms.CharField):
    """A list, one a line, or as JSON."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={**CODE, "rows": 2}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return (
            _json(text)
            if text.startswith("[")
            else [line.strip() for line in text.splitlines() if line.strip()]
        )


class PairsField(forms.CharField):
    """A map, one ``name=value`` a line, or as JSON."""

    def __init__(self, **kwargs: Any) -> None:
        area = forms.Textarea(attrs={**CODE, "rows": 2, "placeholder": "name=value"})
        super().__init__(widget=area, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return as_lines(value) if isinstance(value, Mapping) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text.startswith("{"):
            return _json(text)
        lines = enumerate(text.splitlines(), start=1)
        return dict(_pair(number, line) for number, line in lines if line.strip())


def as_lines(values: Mapping[str, object]) -> str:
    """A map as these fields show it."""
    return "\n".join(f"{name}={value}" for name, value in values.items())


def _label(number: int, line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        raise forms.ValidationError(f"Line {number} is no label: write it as name=value.")
    try:
        check_labels({name.strip(): value.strip()})
    except Rejected as error:
        raise forms.ValidationError(f"Line {number}: {error}") from error
    return name.strip(), value.strip()


def _pair(number: int, line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals or not name.strip():
        raise forms.ValidationError(f"Line {number}: write it as name=value.")
    return name.strip(), value.strip()


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise forms.ValidationError(f"This is no JSON: {error}.") from error
