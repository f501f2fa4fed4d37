"""The form that adds a channel, made from its driver's Config."""

from typing import Final

from django import forms

from tocsin.web.config_form import ConfigForm

NAME: Final = "channel_name"  # no Config has a field of that name


class ChannelForm(ConfigForm):
    """Asks for a name besides."""

    channel_name = forms.CharField(
        label="Name", max_length=100, help_text="What you call it, such as on-call"
    )
