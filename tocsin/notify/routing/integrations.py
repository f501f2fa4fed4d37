"""Alertmanager's integrations, and the driver's settings that their fields become."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tocsin.notify.routing.lines import Node

_JIRA_API: Final = re.compile(r"/rest/api/\w+/?$|/$")


class Integration(msgspec.Struct, frozen=True):
    """How one of Alertmanager's integrations becomes a driver's config.

    ``carried`` names the setting that a field becomes; ``shared`` the field of ``global`` that stands in for
    it. Any of them may be in a file, as ``<field>_file``. ``needed`` are those without which Alertmanager
    refuses the file, ``worded`` those that hold Go templates, ``lost`` those without a counterpart, ``hints``
    what is to be said of others.
    """

    driver: str = ""
    carried: Mapping[str, str] = {}
    shared: Mapping[str, str] = {}
    needed: tuple[str, ...] = ()
    worded: str = ""
    lost: str = ""
    hints: Mapping[str, tuple[str, str]] = {}
    urls: tuple[str, ...] = ()
    send_resolved: bool = True
    signs: tuple[str, ...] = ()  # the parts of ``http_config`` that are taken
    adapted: Callable[[dict[str, str], Node], dict[str, Any]] | None = None
    remark: str = ""


def _mail(given: dict[str, str], written: Node) -> dict[str, Any]:
    """``host:port`` and ``require_tls`` as the driver has them."""
    host, _, port = given.pop("smarthost", "").rpartition(":")
    required = given.pop("require_tls", "true").lower() in ("true", "yes", "on", "y")
    security = "tls" if port == "465" else "starttls" if required else "none"
    number = {"smtp_port": int(port)} if port.isdecimal() else {}
    server = {"smtp_host": host.strip("[]")} if host else {}
    return {**given, **server, **number, "security": security}


def _slack(given: dict[str, str], written: Node) -> dict[str, Any]:
    """A webhook, or Slack's API with a bot's token where that is how it is posted."""
    url = given.get("webhook_url", "")
    base = url.removesuffix("chat.postMessage")
    if base == url:
        return given
    allowed = (written.get("http_config") or written).get("authorization")
    token = allowed.text("credentials") if allowed else ""
    return {"bot_token": token, "channel_id": written.text("channel"), "api_url": base}


def _jira(given: dict[str, str], written: Node) -> dict[str, Any]:
    """The site's address, and who signs in there."""
    site = {"url": _JIRA_API.sub("", given["url"])} if "url" in given else {}
    how = written.get("http_config") or written
    basic, bearer = how.get("basic_auth") or written, how.get("authorization") or written
    signed = {"email": basic.text("username"), "token": basic.text("password") or bearer.text("credentials")}
    return {**given, **site, **{name: value for name, value in signed.items() if value}}


def _connector(given: dict[str, str], written: Node) -> dict[str, Any]:
    """The connectors that Microsoft had before workflows take no adaptive cards."""
    return {**given, "style": "message_card"}


INTEGRATIONS: Final[dict[str, Integration]] = {
    "slack_configs": Integration(
        "slack",
        carried={"api_url": "webhook_url"},
        shared={"api_url": "slack_api_url"},
        needed=("api_url",),
        urls=("api_url",),
        worded=(
            "title title_link pretext text fallback footer color username icon_emoji icon_url image_url "
            "thumb_url callback_id message_text"
        ),
        lost="fields short_fields link_names mrkdwn_in actions edit_messages update_message",
        hints={"channel": ("an incoming webhook posts into the channel it was made for", "it is left out")},
        signs=("authorization",),
        adapted=_slack,
        send_resolved=False,
    ),
    "email_configs": Integration(
        "email",
        carried={
            "to": "to", "from": "sender", "smarthost": "smarthost", "require_tls": "require_tls",
            "auth_username": "username", "auth_password": "password",
        },
        shared={
            "from": "smtp_from", "smarthost": "smtp_smarthost", "require_tls": "smtp_require_tls",
            "auth_username": "smtp_auth_username", "auth_password": "smtp_auth_password",
        },
        needed=("to", "from", "smarthost"),
        worded="html text headers",
        lost="hello auth_secret auth_identity tls_config threading",
        send_resolved=False,
        adapted=_mail,
    ),
    "webhook_configs": Integration(
        "webhook",
        carried={"url": "url"},
        needed=("url",),
        urls=("url",),
        lost="max_alerts timeout payload",
        remark="what is posted is Tocsin's own JSON, not Alertmanager's",
    ),
    "pagerduty_configs": Integration(
        "pagerduty",
        carried={"routing_key": "routing_key", "service_key": "routing_key", "url": "url"},
        shared={"url": "pagerduty_url"},
        needed=("routing_key|service_key",),
        urls=("url",),
        worded="description details client client_url severity class component group source",
        lost="images links timeout",
        hints={"service_key": ("the key of an integration of Events API v1", "a key of v2 is needed")},
    ),
    "opsgenie_configs": Integration(
        "opsgenie",
        carried={"api_key": "api_key", "api_url": "url"},
        shared={"api_key": "opsgenie_api_key", "api_url": "opsgenie_api_url"},
        needed=("api_key",),
        urls=("api_url",),
        worded="message description source details entity tags note priority actions",
        lost="responders update_alerts",
    ),
    "discord_configs": Integration(
        "discord",
        carried={"webhook_url": "webhook_url"},
        needed=("webhook_url",),
        urls=("webhook_url",),
        worded="title message content username avatar_url",
    ),
    "msteams_configs": Integration(
        "teams",
        carried={"webhook_url": "webhook_url"},
        needed=("webhook_url",),
        urls=("webhook_url",),
        worded="title summary text",
        adapted=_connector,
    ),
    "msteamsv2_configs": Integration(
        "teams",
        carried={"webhook_url": "webhook_url"},
        needed=("webhook_url",),
        urls=("webhook_url",),
        worded="title text",
    ),
    "telegram_configs": Integration(
        "telegram",
        carried={
            "bot_token": "token", "chat_id": "chat_id", "api_url": "api_url", "message_thread_id": "topic_id",
            "disable_notifications": "silent",
        },
        shared={"api_url": "telegram_api_url", "bot_token": "telegram_bot_token"},
        needed=("bot_token", "chat_id"),
        urls=("api_url",),
        worded="message parse_mode",
    ),
    "pushover_configs": Integration(
        "pushover",
        carried={"user_key": "user", "token": "token", "device": "device", "sound": "sound"},
        needed=("user_key", "token"),
        worded="title message url url_title priority html monospace",
        lost="retry expire ttl",
    ),
    "jira_configs": Integration(
        "jira",
        carried={
            "api_url": "url", "project": "project", "issue_type": "issue_type", "resolve_transition": "done",
            "reopen_transition": "reopen",
        },
        shared={"api_url": "jira_api_url"},
        needed=("api_url", "project", "issue_type"),
        urls=("api_url",),
        worded="summary description priority",
        lost="wont_fix_resolution reopen_duration api_type labels fields custom_fields",
        signs=("authorization", "basic_auth"),
        adapted=_jira,
    ),
    "mattermost_configs": Integration(
        "mattermost",
        carried={"webhook_url": "webhook_url"},
        shared={"webhook_url": "mattermost_webhook_url"},
        needed=("webhook_url",),
        urls=("webhook_url",),
        worded="text username icon_url icon_emoji",
        lost="channel props priority type card attachments",
        send_resolved=False,
    ),
    "victorops_configs": Integration(
        carried={"api_key": "", "api_url": "", "routing_key": ""},
        shared={"api_key": "victorops_api_key"},
        needed=("api_key", "routing_key"),
        urls=("api_url",),
    ),
    "wechat_configs": Integration(
        carried={"api_secret": "", "corp_id": "", "api_url": ""},
        shared={"api_secret": "wechat_api_secret", "corp_id": "wechat_api_corp_id"},
        needed=("api_secret", "corp_id"),
        urls=("api_url",),
        send_resolved=False,
    ),
    "webex_configs": Integration(
        carried={"room_id": "", "api_url": "", "http_config": ""},
        needed=("room_id", "http_config"),
        urls=("api_url",),
    ),
    "sns_configs": Integration(
        carried={"topic_arn": "", "phone_number": "", "target_arn": ""},
        needed=("topic_arn|phone_number|target_arn",),
    ),
    "rocketchat_configs": Integration(
        carried={"token": "", "token_id": "", "api_url": ""},
        shared={"token": "rocketchat_token", "token_id": "rocketchat_token_id"},
        needed=("token", "token_id"),
        urls=("api_url",),
        send_resolved=False,
    ),
    "incidentio_configs": Integration(carried={"url": ""}, needed=("url",), urls=("url",)),
}  # fmt: skip
