"""Which driver settings are meant for."""

from contextlib import suppress

import pytest

from tocsin.core.errors import Rejected
from tocsin.notify.fields import driver_for


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ({"url": "https://hooks.example.com/in", "secret": "s"}, "webhook"),
        ({"webhook_url": "https://hooks.slack.com/services/T/B/x"}, "slack"),
        ({"webhook_url": "https://discord.com/api/webhooks/1/x"}, "discord"),
        ({"webhook_url": "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t"}, "google_chat"),
        ({"webhook_url": "https://prod-1.westeurope.logic.azure.com:443/workflows/x"}, "teams"),
        ({"webhook_url": "https://example.webhook.office.com/webhookb2/x"}, "teams"),
        ({"url": "https://chat.example.com", "token": "t", "channel_id": "c"}, "mattermost"),
        ({"url": "https://matrix.example.org", "token": "t", "room_id": "!r:example.org"}, "matrix"),
        ({"token": "123:abc", "chat_id": "-100"}, "telegram"),
        ({"smtp_host": "mail", "sender": "a@example.com", "to": "b@example.com"}, "email"),
        ({"bot_token": "xoxb-1", "channel_id": "C1"}, "slack"),
    ],
)
def test_it_has_all_of_them_and_its_service_is_named(given: dict[str, str], driver: str) -> None:
    assert driver_for(given) == driver


@pytest.mark.parametrize("host", ["proxy.example.com", "notslack.com"])
def test_where_several_fit_it_must_be_named(host: str) -> None:
    with pytest.raises(Rejected, match="discord and .*slack.*: name the driver"):
        driver_for({"webhook_url": f"https://{host}/api/webhooks/1/x"})


@pytest.mark.parametrize("url", ["http://[", "", "\0"])
def test_any_text_may_stand_where_an_address_should(url: str) -> None:
    with suppress(Rejected):
        assert driver_for({"webhook_url": url}) == "slack"


def test_where_none_fits_that_is_said() -> None:
    with pytest.raises(Rejected, match="no driver has just the settings loft"):
        driver_for({"loft": "1"})
