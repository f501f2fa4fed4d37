"""The forms that make a source, and that read a payload to see what it gives."""

import json
import re
from typing import Any, Final

import msgspec
from django import forms

from tocsin.alerts import mapping, sources
from tocsin.alerts.drivers import drivers
from tocsin.alerts.models import Source
from tocsin.alerts.reading import MAPPED
from tocsin.core.errors import Rejected

LONGEST: Final = 1_000_000
FOUND: Final = "found"
_TURNING: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CODE: Final = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
_EXAMPLE: Final = '{\n  "alerts": "events",\n  "name": "title",\n  "labels": {"instance": "host"}\n}'
_WORDING: Final = {
    "Field required": "it is missing, and a mapping needs it",
    "Extra inputs are not permitted": "there is no such field in a mapping",
    "Input should be a valid string": "give a JMESPath expression, in quotes",
    "Input should be a valid dictionary": 'give an object, such as {"instance": "host"}',
}


class MappingField(forms.CharField):
    """A mapping written as JSON; gives it as a map, which is empty where nothing was written."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={**_CODE, "rows": 10, "placeholder": _EXAMPLE})
        super().__init__(required=False, max_length=LONGEST, widget=widget, **kwargs)

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        if not text:
            return {}
        try:
            given = json.loads(text)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise forms.ValidationError(f"This is not JSON: {error.msg} at {where}.") from error
        except RecursionError as error:
            raise forms.ValidationError("This is nested too deeply.") from error
        if not isinstance(given, dict):
            raise forms.ValidationError('A mapping is an object, such as {"name": "title"}.')
        try:
            return mapping.checked(given).model_dump(exclude_defaults=True)
        except Rejected as error:
            raise forms.ValidationError([_worded(part) for part in str(error).split("; ")]) from error


def _worded(said: str) -> str:
    for words, ours in _WORDING.items():
        said = said.replace(words, ours)
    return said


def as_json(given: dict[str, Any]) -> str:
    """A mapping as the form has it."""
    return spelled(msgspec.json.format(msgspec.json.encode(given), indent=2).decode()) if given else ""


def spelled(text: str) -> str:
    """A text in which no character turns the others around: such are spelled, as JSON may."""
    return _TURNING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class SourceForm(forms.Form):
    """Asks what a new source is called, and what is special about its alerts."""

    name = forms.CharField(
        max_length=64,
        widget=forms.TextInput(attrs=_CODE),
        help_text="What sends, such as zabbix-eu. Its alerts bear it as label source.",
    )
    labels = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={**_CODE, "rows": 2, "placeholder": "team=db\nsite=eu"}),
        help_text="For its alerts that lack them; one name=value a line.",
    )
    group_by = forms.CharField(
        label="Group by",
        required=False,
        max_length=LONGEST,
        widget=forms.TextInput(attrs={**_CODE, "placeholder": "site alertname"}),
        help_text="Names of labels: alerts with the same values join one incident. Empty: as for all.",
    )
    budget = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=sources.MOST_INCIDENTS,
        help_text="Incidents it may open a minute before the rest joins one storm incident. Empty: as for "
        "all; 0: no limit.",
    )
    mapping = MappingField(
        help_text="Where each thing stands in what it posts to its own URL: JSON, each value in JMESPath. "
        "Empty: the driver is found from what it posts.",
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        try:
            sources.check_name(name)
        except Rejected as error:
            raise forms.ValidationError("Use letters, digits, dots, - and _ only.") from error
        return name

    def clean_labels(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["labels"].splitlines(), start=1):
            if line.strip():
                found |= _label(number, line)
        return found

    def clean_group_by(self) -> list[str]:
        words = re.split(r"[\s,]+", self.cleaned_data["group_by"])
        found = list(dict.fromkeys(filter(None, words)))
        try:
            sources.check_grouping(found)
        except Rejected as error:
            raise forms.ValidationError(str(error)) from error
        return found


def _label(number: int, line: str) -> dict[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        raise forms.ValidationError(f"Line {number} is no label: write it as name=value.")
    label = {name.strip(): value.strip()}
    try:
        sources.check_labels(label)
    except Rejected as error:
        raise forms.ValidationError(f"Line {number}: {error}") from error
    return label


class TryForm(forms.Form):
    """Asks for a payload and what should read it."""

    payload = forms.CharField(
        max_length=LONGEST,
        widget=forms.Textarea(attrs={**_CODE, "rows": 14, "placeholder": '{"name": "DiskFull", …}'}),
        help_text="As the tool sends it: JSON, a form or XML.",
    )
    how = forms.ChoiceField(label="Read by")
    mapping = MappingField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(name, name) for name in drivers.names()]
        self.fields["how"].choices = [(FOUND, "Found by itself"), (MAPPED, "Mapping"), ("Driver", named)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("how") != MAPPED:
            self.errors.pop("mapping", None)  # it is not what reads
        elif self.cleaned_data.get("mapping") == {}:
            self.add_error("mapping", "Write a mapping, or have one suggested.")
        return self.cleaned_data

    def means(self) -> dict[str, Any]:
        """What should read it, as ``reading.read`` has it."""
        how = self.cleaned_data["how"]
        if how == MAPPED:
            return {"given": self.cleaned_data["mapping"]}
        return {} if how == FOUND else {"driver": how}


class ReplayForm(forms.Form):
    """Asks what should read a parked payload."""

    how = forms.ChoiceField(label="Read by")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sources = {str(row.pk): row for row in Source.objects.filter(enabled=True).order_by("name")}
        ours = [(f"source {key}", row.name) for key, row in self._sources.items()]
        named = [(f"driver {name}", name) for name in drivers.names()]
        chosen = [(FOUND, "Found by itself"), ("As if sent by", ours), ("Driver", named)]
        self.fields["how"].choices = [choice for choice in chosen if choice[1]]  # type: ignore[attr-defined]

    def means(self) -> dict[str, Any]:
        """What should read it, as ``parked.replay`` has it."""
        kind, _, name = self.cleaned_data["how"].partition(" ")
        if kind == "source":
            source = self._sources[name]
            return {"mapping": source.mapping, "sender": sources.sender_of(source)}
        return {"driver": name}
