"""The form that makes and changes a heartbeat."""

from typing import Any

from django import forms

from tocsin.core.errors import Rejected
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import GRACE, Schedule, checked, compact
from tocsin.web.form_fields import DurationField, LabelsField, as_lines, code


class HeartbeatForm(forms.Form):
    """Asks what must come, and when. With an old heartbeat it begins with what that one has."""

    name = forms.CharField(
        max_length=heartbeats.LONGEST_NAME,
        widget=code(),
        help_text="What must come, such as nightly-backup.",
    )
    period = DurationField(
        label="Every", required=False, max_length=40, widget=code(placeholder="1h"),
        help_text="How often it comes: 90s, 5m, 1h30m, 2d.",
    )  # fmt: skip
    cron = forms.CharField(
        label="Or by cron line", required=False, max_length=100, widget=code(placeholder="10 3 * * *"),
        help_text="As in its crontab. Without either it is never late, and an alert only when it says that "
        "it failed.",
    )  # fmt: skip
    timezone = forms.CharField(
        label="Time zone of the cron line", required=False, max_length=64, initial="UTC", widget=code(),
        help_text="Such as Europe/Berlin.",
    )  # fmt: skip
    grace = DurationField(
        max_length=40, initial=compact(GRACE), widget=code(),
        help_text="How late it may be, and how long a run may take that told its start.",
    )  # fmt: skip
    labels = LabelsField(
        "Of its alerts; one name=value a line. They are critical unless severity says otherwise.",
        "team=db\nseverity=warning",
    )
    token = forms.CharField(
        label="UUID", required=False, max_length=100, widget=code(placeholder="made for it"),
        help_text="Of the ping URL that its job calls already, such as one of Healthchecks.",
    )  # fmt: skip

    def __init__(self, *args: Any, old: Heartbeat | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if old is None:
            return
        del self.fields["token"]
        self.initial.update(
            name=old.name,
            period=compact(old.period),
            cron=old.cron,
            timezone=old.timezone,
            grace=compact(old.grace),
            labels=as_lines(old.labels),
        )

    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"]
        try:
            return heartbeats.read_token(token) if token else ""
        except Rejected as error:
            raise forms.ValidationError(str(error).capitalize() + ".") from error

    def clean(self) -> dict[str, Any]:
        if self.errors:
            return self.cleaned_data
        try:
            checked(self.schedule)
        except Rejected as error:
            at = "timezone" if "time zone" in str(error) else "grace" if "grace" in str(error) else "cron"
            self.add_error(at if self.cleaned_data["cron"] or at == "grace" else "period", str(error))
        return self.cleaned_data

    @property
    def schedule(self) -> Schedule:
        """The schedule that is asked for."""
        given = self.cleaned_data
        return Schedule(given["period"], given["cron"], given["timezone"], given["grace"] or 0)
