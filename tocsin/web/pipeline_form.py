"""The form that makes and changes a pipeline's definition, and what it is tried on."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django import forms

from tocsin.alerts.models import Incident
from tocsin.core import matchers
from tocsin.core.errors import Rejected
from tocsin.orchestration.definition import STAGES, Problem, Unsound
from tocsin.orchestration.models import PipelineDefinition
from tocsin.web.form_fields import CODE, LONGEST, LinesField, code
from tocsin.web.source_form import as_json

LONGEST_DOCUMENT: Final = 1_000_000
HIGHEST: Final = 1_000_000
INCIDENTS_SHOWN: Final = 25


class PipelineForm(forms.Form):
    """Asks for a definition; with an old one it begins with what that one has."""

    name = forms.CharField(max_length=100, widget=code(), help_text="Runs and commands know it by this.")
    priority = forms.IntegerField(
        min_value=0,
        max_value=HIGHEST,
        initial=100,
        help_text="Of those that match, the lowest is run.",
    )
    matching = LinesField(
        label="Incidents with these labels",
        required=False,
        max_length=LONGEST,
        help_text="One matcher a line, on severity and the labels that an incident is grouped by, such as "
        'alertname=~"Shop.*"; all must hold. Empty: all incidents.',
    )
    description = forms.CharField(required=False, max_length=LONGEST)
    enabled = forms.BooleanField(label="On", required=False, initial=True)
    document = forms.CharField(
        label="Nodes (JSON)",
        max_length=LONGEST_DOCUMENT,
        widget=forms.Textarea(attrs={**CODE, "rows": 24}),
    )

    def __init__(
        self, *args: Any, old: PipelineDefinition | None = None, document: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._old = old
        self.initial["document"] = as_json(document or STAGES)
        if old is not None:
            del self.fields["name"]
            self.initial.update(
                priority=old.priority,
                matching=old.matchers,
                description=old.description,
                enabled=old.enabled,
            )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if PipelineDefinition.objects.filter(name=name).exists():
            raise forms.ValidationError("There is one of this name already.")
        return name

    def clean_matching(self) -> list[str]:
        given: object = self.cleaned_data["matching"]
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            raise forms.ValidationError("Write one matcher a line.")
        for text in given:
            try:
                matchers.parse_one(text)
            except Rejected as error:
                raise forms.ValidationError(str(error)) from error
        return given

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether its matchers, as far as they could be read, hold for an incident of these labels."""
        self.is_valid()
        given = self.cleaned_data.get("matching", [])
        return matchers.match_all(map(matchers.parse_one, given), labels)

    @property
    def wanted(self) -> dict[str, Any]:
        """What ``definitions.put`` is told, but for the document."""
        given = self.cleaned_data
        told = {name: given[name] for name in ("priority", "matching", "description", "enabled")}
        return {"name": self._old.name if self._old else given["name"], **told}


def decoded(text: str) -> Any:
    """What somebody wrote, which may be wrong in any way. Raises Unsound."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise _wrong("it is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise _wrong(_where(text) or str(error)) from None


def _wrong(message: str) -> Unsound:
    return Unsound([Problem(node="", field="JSON", message=message)])


def _where(text: str) -> str:
    """What is wrong, with its line, where Python's own reader finds it wrong too."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    except (RecursionError, ValueError):
        return ""
    return ""


class TrialForm(forms.Form):
    """Asks what a definition is tried on."""

    incident = forms.ChoiceField(required=False, label="A recent incident")
    payload = forms.CharField(
        required=False,
        label="Or a payload",
        max_length=LONGEST_DOCUMENT,
        widget=forms.Textarea(attrs={**CODE, "rows": 4, "placeholder": "as a tool posts it"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = Incident.objects.order_by("-pk").values_list("pk", "title")[:INCIDENTS_SHOWN]
        asked = self.fields["incident"]
        assert isinstance(asked, forms.ChoiceField)
        asked.choices = [("", "–"), *((str(pk), f"#{pk} {title[:80]}") for pk, title in newest)]

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if not given.get("incident") and not given.get("payload") and not self.errors:
            raise forms.ValidationError("Pick an incident, or paste a payload.")
        return given
