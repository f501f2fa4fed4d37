"""The form that makes and changes a silence."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django import forms

from tocsin.alerts.matched import matchers_of
from tocsin.alerts.models import Silence
from tocsin.alerts.silences import MOST_TEXT, Wanted
from tocsin.core.errors import Rejected
from tocsin.core.matchers import Matcher, parse

LENGTHS: Final = {
    "1h": ("1 hour", timedelta(hours=1)),
    "4h": ("4 hours", timedelta(hours=4)),
    "1d": ("1 day", timedelta(days=1)),
    "1w": ("1 week", timedelta(weeks=1)),
}
UNTIL: Final = "until"
EXAMPLE: Final = 'alertname="HighCPU"\ninstance=~"web-.*"'
LONGEST: Final = 100_000


def as_lines(matchers: Iterable[Matcher]) -> str:
    """Matchers as the form has them, one a line."""
    return "\n".join(map(str, matchers))


class SilenceForm(forms.Form):
    """Asks what to silence, for how long and why. With an old silence it begins with what that one has."""

    matchers = forms.CharField(
        label="Alerts with these labels",
        max_length=LONGEST,
        widget=forms.Textarea(
            attrs={"rows": 3, "placeholder": EXAMPLE, "spellcheck": "false", "autocapitalize": "off"}
        ),
        help_text='One matcher a line, such as alertname="HighCPU" or instance=~"web-.*"; all must hold. '
        "= is, != is not, =~ matches the pattern, !~ does not.",
    )
    length = forms.ChoiceField(
        label="For how long",
        choices=[*((key, words) for key, (words, _) in LENGTHS.items()), (UNTIL, "Until …")],
        initial="4h",
        widget=forms.RadioSelect,
    )
    ends_at = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "step": 1}),
    )
    comment = forms.CharField(
        required=False,
        max_length=MOST_TEXT,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Why, for those who wonder later",
    )

    def __init__(self, *args: Any, now: datetime, old: Silence | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._now, self._old = now, old
        self._starts_at = now if old is None or old.state(now) == Silence.EXPIRED else old.starts_at
        if old is not None:
            self.initial.update(matchers=as_lines(matchers_of(old)), comment=old.comment)
        if old is not None and old.ends_at > now:
            self.initial.update(length=UNTIL, ends_at=old.ends_at)

    def clean_matchers(self) -> list[Matcher]:
        """Read line by line, so that what is wrong can be told with its line."""
        lines = enumerate(re.split(r"\r?\n", self.cleaned_data["matchers"]), start=1)
        found = [matcher for number, line in lines if line.strip() for matcher in _read(number, line)]
        if all(matcher.accepts("") for matcher in found):
            raise forms.ValidationError(
                "These match any alert that lacks the label. At least one must ask for a value."
            )
        return found

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("length") == UNTIL and "ends_at" not in self.errors:
            self._check_end(self.cleaned_data["ends_at"])
        return self.cleaned_data

    def _check_end(self, ends_at: datetime | None) -> None:
        if ends_at is None:
            self.add_error("ends_at", "Say until when.")
        elif ends_at <= self._now:
            self.add_error("ends_at", "This is in the past.")
        elif ends_at <= self._starts_at:
            self.add_error("ends_at", f"It begins only at {self._starts_at:%Y-%m-%d %H:%M} UTC.")

    def wanted(self, created_by: str) -> Wanted:
        """The silence that is asked for."""
        given = self.cleaned_data
        length = LENGTHS.get(given["length"])
        return Wanted(
            matchers=given["matchers"],
            starts_at=self._starts_at,
            ends_at=max(self._now, self._starts_at) + length[1] if length else given["ends_at"],
            created_by=created_by,
            comment=given["comment"],
            annotations=self._old.annotations if self._old else {},
            id=self._old.id if self._old else "",
        )


def _read(number: int, line: str) -> list[Matcher]:
    try:
        return parse(line)
    except Rejected as error:
        raise forms.ValidationError(f"Line {number}: {error}") from error
