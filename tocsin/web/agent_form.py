"""The form that asks for how many agents a token is."""

from django import forms

from tocsin.fleet.enrolment import MOST_USES


class AgentForm(forms.Form):
    """Asks how many may enrol."""

    uses = forms.IntegerField(
        label="Agents",
        initial=1,
        min_value=1,
        max_value=MOST_USES,
        help_text="How many machines may enrol with the token. It is good for an hour.",
    )
