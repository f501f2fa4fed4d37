"""The form that makes and changes a channel, made from its driver's Config; and those of templates."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from django import forms
from django.forms.boundfield import BoundField

from tocsin.core import secret_fields
from tocsin.core.templates import LONGEST_TEMPLATE
from tocsin.notify.drivers import EDIT, EDIT_THREAD, NEW, THREAD, drivers
from tocsin.notify.message import DIGEST, Message
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.notify.setup import FASTEST, LONGEST_NAME, MOST_WAITING, Setup, setup_of
from tocsin.web.config_form import ConfigForm
from tocsin.web.form_fields import CODE

PREFIX: Final = "channel_"  # no Config has a field of such a name that is ours too
NAME: Final = f"{PREFIX}name"
TEMPLATES: Final = (f"{PREFIX}subject_template", f"{PREFIX}body_template")
PACE: Final = tuple(f"{PREFIX}{name}" for name in ("per_minute", "digest_above", "fallback", "send_resolved"))
RECENT: Final = 25
LOOKED_AT: Final = 200
MODES: Final = {
    NEW: "each is a message of its own",
    EDIT: "one message an incident, kept up to date",
    THREAD: "one message an incident, what follows are answers",
    EDIT_THREAD: "one message an incident, kept up to date, and answers",
}
_decode: Final = msgspec.json.Decoder(Message).decode


def _template(label: str, rows: int, help_text: str) -> forms.CharField:
    area = forms.Textarea(attrs={**CODE, "rows": rows})
    return forms.CharField(
        label=label,
        required=False,
        max_length=LONGEST_TEMPLATE,
        widget=area,
        help_text=help_text,
        strip=False,
    )


class ChannelForm(ConfigForm):
    """Asks for a name and the set-up besides; with an old channel it begins with what that one has."""

    channel_name = forms.CharField(
        label="Name", max_length=LONGEST_NAME, help_text="What you call it, such as on-call"
    )
    channel_mode = forms.ChoiceField(label="Later news of an incident", required=False)
    channel_per_minute = forms.FloatField(
        label="Messages a minute", required=False, max_value=FASTEST,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )  # fmt: skip
    channel_digest_above = forms.IntegerField(
        label="Fold when more wait than", required=False, min_value=0, max_value=MOST_WAITING,
        help_text="A storm becomes one message; 0: never.",
    )  # fmt: skip
    channel_fallback = forms.ChoiceField(
        label="Fallback", required=False, help_text="Gets what this channel refuses for good."
    )
    channel_send_resolved = forms.BooleanField(label="Tell when it is over", required=False, initial=True)
    channel_subject_template = _template("Subject", 1, "What a message begins with.")
    channel_body_template = _template("Body", 5, "What it says in the place of the alerts.")

    def __init__(
        self, driver: str, *args: Any, old: NotificationChannel | None = None, **kwargs: Any
    ) -> None:
        kind = drivers.get(driver)
        super().__init__(kind.Config, *args, **kwargs)
        self._old = old
        usual = kind.modes[0]
        self._choose(
            "mode", [("", f"as usual: {MODES[usual]}"), *((mode, MODES[mode]) for mode in kind.modes)]
        )
        if len(kind.modes) == 1:
            del self.fields[f"{PREFIX}mode"]
        self._choose("fallback", [("", "none"), *((name, name) for name in _others(old))])
        if kind.rate is not None:
            self.fields[
                f"{PREFIX}per_minute"
            ].help_text = f"Empty: {kind.rate.per_second * 60:g}, as its service takes them."
        else:
            self.fields[f"{PREFIX}per_minute"].help_text = "Empty: as many as there are."
        if old is not None:
            self._begin_with(old)

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[f"{PREFIX}{name}"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def first(self) -> list[BoundField]:
        """Its name, and what its driver asks for."""
        return [self[NAME], *(self[name] for name in self._config.model_fields)]

    @property
    def more(self) -> list[BoundField]:
        """What is seldom asked for."""
        return [self[name] for name in (f"{PREFIX}mode", *PACE) if name in self.fields]

    @property
    def templates(self) -> list[BoundField]:
        """Subject and body."""
        return [self[name] for name in TEMPLATES]

    @property
    def more_told(self) -> bool:
        """Whether somebody set any of it, or something of it is wrong."""
        if any(field.name in self.errors for field in self.more):
            return True
        return self._differs(f"{PREFIX}mode", *PACE)

    @property
    def templates_told(self) -> bool:
        """The same of its templates."""
        return any(name in self.errors for name in TEMPLATES) or self._differs(*TEMPLATES)

    @property
    def given(self) -> dict[str, Any]:
        """The values for the Config; secrets that were left empty are as they were."""
        told = super().given
        if self._old is None:
            return told
        kept = {name: secret_fields.MASK for name in self._secrets()}
        return secret_fields.unmasked(self._config, kept | told, self._old.config)

    @property
    def setup(self) -> Setup:
        """What is asked for besides."""
        told = {name.removeprefix(PREFIX): value for name, value in self.cleaned_data.items()}
        known = {name: told[name] for name in Setup.__struct_fields__ if name in told}
        return Setup(**{**known, "body_template": _plain_lines(known.get("body_template", ""))})

    def _differs(self, *names: str) -> bool:
        usual = msgspec.structs.asdict(Setup())
        values = {name: self[name].value() for name in names if name in self.fields}
        return any(
            (value or None) != (usual[name.removeprefix(PREFIX)] or None) for name, value in values.items()
        )

    def _secrets(self) -> list[str]:
        """Settings of the old channel that are not shown."""
        old = self._old.config if self._old else {}
        return [
            name
            for name in old
            if name in self.fields and isinstance(self.fields[name].widget, forms.PasswordInput) and old[name]
        ]

    def _begin_with(self, old: NotificationChannel) -> None:
        self.initial.update(secret_fields.masked(self._config, old.config))
        told = msgspec.structs.asdict(setup_of(old))
        self.initial.update({f"{PREFIX}{name}": value for name, value in told.items()})
        self.initial[NAME] = old.name
        if old.per_minute is not None and old.per_minute.is_integer():
            self.initial[f"{PREFIX}per_minute"] = int(old.per_minute)
        for name in self._secrets():
            self.fields[name].required = False
            self.fields[name].widget.attrs["placeholder"] = f"{secret_fields.MASK}  as it is"


class TemplatesForm(forms.Form):
    """Asks for the templates that all channels of a driver have."""

    channel_subject_template = _template("Subject", 1, "What a message begins with.")
    channel_body_template = _template("Body", 8, "What it says in the place of the alerts.")

    @property
    def templates(self) -> list[BoundField]:
        """Subject and body."""
        return [self[name] for name in TEMPLATES]


class Recent(msgspec.Struct):
    """A message that was made lately: its delivery, and what it is about."""

    key: str
    title: str
    message: Message


def recent() -> list[Recent]:
    """Messages to try templates on: the newest of each kind and title."""
    rows = Delivery.objects.exclude(kind=DIGEST).order_by("-pk").values_list("pk", "message")[:LOOKED_AT]
    found: dict[str, Recent] = {}
    for key, content in rows:
        if len(found) < RECENT and (message := message_of(content)) is not None:
            title = f"{message.kind}: {message.title[:90]}"
            found.setdefault(title, Recent(key, title, message))
    return list(found.values())


def message_of(content: Any) -> Message | None:
    """A message as it is stored; None where it cannot be read, as one of a newer version."""
    try:
        return _decode(msgspec.json.encode(content))
    except msgspec.MsgspecError:
        return None


def written(given: Mapping[str, str]) -> tuple[str, str]:
    """Subject and body as a browser sends them."""
    subject, body = (given.get(name, "")[: LONGEST_TEMPLATE + 1] for name in TEMPLATES)
    return subject, _plain_lines(body)


def _plain_lines(text: str) -> str:
    """A browser ends lines with two characters."""
    return text.replace("\r\n", "\n")


def _others(old: NotificationChannel | None) -> Iterable[str]:
    names = NotificationChannel.objects.order_by("name").values_list("name", flat=True)
    return names.exclude(pk=old.pk) if old else names
