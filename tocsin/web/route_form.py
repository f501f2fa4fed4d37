"""The forms that bring routes, and ask who gets an alert by them."""

from datetime import datetime
from typing import Any, Final

import yaml
from django import forms

from tocsin.alerts.models import Alert
from tocsin.core.errors import Rejected
from tocsin.core.labels import with_name
from tocsin.notify.routing import lines
from tocsin.notify.routing.asked import labels_of
from tocsin.notify.routing.expected import moment_of
from tocsin.web.form_fields import CODE, LONGEST

ALERTS_SHOWN: Final = 25
EXAMPLE: Final = """\
route:
  channels: [chat]            # who gets what no other route takes
  group_by: [alertname]
  routes:
    - matchers: [severity="critical"]
      channels: [chat, pager]
"""


class RoutesForm(forms.Form):
    """Asks for a tree of ours or an ``alertmanager.yml``, as text or as a file."""

    file = forms.FileField(
        label="A file in its place", required=False, allow_empty_file=True,
        help_text="An alertmanager.yml, or a tree of our own",
    )  # fmt: skip
    text = forms.CharField(
        label="Routes (YAML or JSON)",
        required=False,
        max_length=lines.MAX_BYTES,
        widget=forms.Textarea(attrs={**CODE, "rows": 24}),
        strip=False,
    )
    note = forms.CharField(
        required=False, max_length=300, help_text="Why, for those who wonder later",
    )  # fmt: skip

    def clean_text(self) -> str:
        """What somebody wrote, or the file in its place."""
        file = self.cleaned_data.get("file")
        if file is None:
            return str(self.cleaned_data["text"]).replace("\r\n", "\n")
        if file.size > lines.MAX_BYTES:
            raise forms.ValidationError(f"The file is larger than {lines.MAX_BYTES:,} bytes.")
        try:
            content: str = file.read().decode()
        except UnicodeDecodeError as error:
            raise forms.ValidationError("The file is no text.") from error
        return content.replace("\r\n", "\n")


class AskForm(forms.Form):
    """Asks whose alert it is, and when."""

    recent = forms.ChoiceField(required=False, label="A recent alert")
    labels = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={**CODE, "rows": 4, "placeholder": "alertname=HighCPU\nteam=web"}),
        help_text="One name=value a line; those given here stand over the alert's.",
    )
    at = forms.CharField(
        required=False, label="At", max_length=40,
        widget=forms.TextInput(attrs={**CODE, "placeholder": "now, or 2026-11-23T22:00:00+01:00"}),
    )  # fmt: skip

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._now = now
        newest = Alert.objects.order_by("-pk").values_list("pk", "name", "labels")[:ALERTS_SHOWN]
        asked = self.fields["recent"]
        assert isinstance(asked, forms.ChoiceField)
        asked.choices = [("", "–"), *((str(pk), _title(name, labels)) for pk, name, labels in newest)]

    def clean_labels(self) -> dict[str, str]:
        """The labels, a line each."""
        written = [line.strip() for line in self.cleaned_data["labels"].splitlines() if line.strip()]
        try:
            return labels_of(written)
        except Rejected as error:
            raise forms.ValidationError(str(error)) from error

    def clean_at(self) -> datetime:
        """The moment; now, where none is given."""
        text = self.cleaned_data["at"].strip()
        try:
            return moment_of(text) if text else self._now
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    @property
    def wanted(self) -> dict[str, str]:
        """All labels that are asked about."""
        chosen = self.cleaned_data.get("recent")
        found = Alert.objects.filter(pk=chosen).first() if chosen else None
        known = {**with_name(found.labels, found.name), "severity": found.severity} if found else {}
        return {**known, **self.cleaned_data["labels"]}


def as_yaml(document: Any) -> str:
    """A kept tree as people change it."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)


def _title(name: str, labels: dict[str, str]) -> str:
    where = labels.get("instance", "")
    return f"{name} {f'on {where}' if where and where not in name else ''}".strip()[:90]
