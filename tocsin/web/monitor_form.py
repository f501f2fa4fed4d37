"""The form that makes and changes a monitor, made from its checker's Config."""

from typing import Any, Final

from django import forms
from django.forms.boundfield import BoundField
from pydantic import BaseModel, SecretStr

from tocsin.checkers.checks import CRITICAL, UNKNOWN, WARNING, checkers
from tocsin.checkers.models import Monitor
from tocsin.checkers.monitors import shown_options
from tocsin.checkers.setup import LONGEST_NAME, MOST_JITTER, MOST_LOOKS, SEVERITIES, Setup
from tocsin.core import severity
from tocsin.core.durations import compact
from tocsin.core.secret_fields import MASK, secret
from tocsin.web.config_form import ConfigForm
from tocsin.web.form_fields import DurationField, LabelsField, as_lines, code

FIRST: Final = ("monitor_name",)
THEN: Final = ("monitor_interval", "monitor_failures", "monitor_labels")
MORE: Final = (
    "monitor_recoveries", "monitor_jitter", "monitor_warning", "monitor_critical", "monitor_unknown",
)  # fmt: skip
_LEVELS: Final = [(level, level) for level in severity.RANK]
_STANDARD: Final = Setup("", "")


def _level(status: str) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=f"{status.capitalize()} is", choices=_LEVELS, initial=SEVERITIES[status], required=False
    )


class MonitorForm(ConfigForm):
    """Asks how often, and when it fires; with an old monitor it begins with what that one has."""

    monitor_name = forms.CharField(label="Name", max_length=LONGEST_NAME, help_text="Its alert is called so.")
    monitor_interval = DurationField(
        label="Every", max_length=40, initial=compact(_STANDARD.interval), widget=code(),
        help_text="How often it looks: 10s to 1d.",
    )  # fmt: skip
    monitor_failures = forms.IntegerField(
        label="Fires after", min_value=1, max_value=MOST_LOOKS, initial=_STANDARD.failures,
        help_text="So many results in a row that are not ok.",
    )  # fmt: skip
    monitor_labels = LabelsField("Of its alert; one name=value a line.", "team=web")
    monitor_recoveries = forms.IntegerField(
        label="Recovers after", min_value=1, max_value=MOST_LOOKS, initial=_STANDARD.recoveries,
        help_text="So many results in a row that are ok.",
    )  # fmt: skip
    monitor_jitter = forms.FloatField(
        label="Jitter", min_value=0, max_value=MOST_JITTER, initial=_STANDARD.jitter,
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text="Share of the interval by which looks are moved, so that many do not look at once.",
    )  # fmt: skip
    monitor_warning = _level(WARNING)
    monitor_critical = _level(CRITICAL)
    monitor_unknown = _level(UNKNOWN)

    def __init__(self, checker: str, *args: Any, old: Monitor | None = None, **kwargs: Any) -> None:
        super().__init__(checkers.get(checker).Config, *args, **kwargs)
        self._checker, self._old = checker, old
        if old is not None:
            self._begin_with(old)

    def add_prefix(self, field_name: str) -> str:
        """A browser's form has ``matches`` itself, and ``name``: no option may hide what scripts call."""
        return field_name if field_name.startswith("monitor_") else f"option_{field_name}"

    @property
    def first(self) -> list[BoundField]:
        """What it must be told: its name and what it looks at."""
        return [self[name] for name in (*FIRST, *self._options(required=True))]

    @property
    def then(self) -> list[BoundField]:
        """How often it looks, and when it fires."""
        return [self[name] for name in THEN]

    @property
    def options(self) -> list[BoundField]:
        """What its checker takes besides."""
        return [self[name] for name in self._options(required=False)]

    @property
    def more(self) -> list[BoundField]:
        """What is seldom asked for."""
        return [self[name] for name in MORE]

    @property
    def options_told(self) -> bool:
        """Whether somebody set one of the options that need not be set, or one of them is wrong."""
        names = self._options(required=False)
        old = self._old.options if self._old else {}
        return any(name in self.errors for name in names) or any(name in old for name in names)

    @property
    def more_told(self) -> bool:
        """The same of what is seldom asked for."""
        changed = any(self[name].value() not in (self.fields[name].initial, None) for name in MORE)
        return not self.is_bound and changed or any(name in self.errors for name in MORE)

    @property
    def tryable(self) -> bool:
        """Whether its checker can run with what was given, whatever else is wrong."""
        return not any(name in self.errors for name in self._config.model_fields)

    @property
    def given(self) -> dict[str, Any]:
        """Only what differs from the default; secrets that were left empty are as they were."""
        infos, found = self._config.model_fields, super().given
        changed = {name: value for name, value in found.items() if not _same(infos[name].default, value)}
        return self._kept_secrets() | changed

    @property
    def setup(self) -> Setup:
        """What is asked for; ``enabled`` as it was."""
        told = self.cleaned_data
        statuses = (WARNING, CRITICAL, UNKNOWN)
        return Setup(
            name=told["monitor_name"],
            checker=self._checker,
            options=self.given,
            interval=told["monitor_interval"] or _STANDARD.interval,
            jitter=told["monitor_jitter"],
            failures=told["monitor_failures"],
            recoveries=told["monitor_recoveries"],
            labels=told["monitor_labels"],
            severities={each: level for each in statuses if (level := told[f"monitor_{each}"])},
            enabled=self._old.enabled if self._old else True,
        )

    def _options(self, *, required: bool) -> list[str]:
        """Their names, how long it may take at the end."""
        infos = self._config.model_fields.items()
        return sorted((n for n, info in infos if info.is_required() == required), key="timeout".__eq__)

    def _kept_secrets(self) -> dict[str, Any]:
        old = self._old.options if self._old else {}
        return {name: MASK for name in old if name in self.fields and self._is_password(name)}

    def _is_password(self, name: str) -> bool:
        return isinstance(self.fields[name].widget, forms.PasswordInput) and secret(self._config, name)

    def _begin_with(self, old: Monitor) -> None:
        self.initial.update(shown_options(old))
        self.initial.update(
            monitor_name=old.name,
            monitor_interval=compact(old.interval),
            monitor_failures=old.failures,
            monitor_labels=as_lines(old.labels),
            monitor_recoveries=old.recoveries,
            monitor_jitter=old.jitter,
            **{f"monitor_{status}": level for status, level in old.severities.items()},
        )
        for name in self._kept_secrets():
            self.fields[name].required = False
            self.fields[name].widget.attrs["placeholder"] = "as it is"


def _same(default: Any, value: Any) -> bool:
    return bool(default == value) and not isinstance(default, BaseModel | SecretStr)
