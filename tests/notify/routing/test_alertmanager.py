"""An ``alertmanager.yml`` as it is: the tree, the channels, and line by line what is not carried over."""

import copy
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.notify.routing.files import FIXTURES, RIGHT, WRONG, received
from tocsin.core.errors import Rejected
from tocsin.notify.drivers import drivers
from tocsin.notify.routing import alertmanager, document, lines
from tocsin.notify.routing.alertmanager import Imported
from tocsin.notify.routing.lines import Unsound
from tocsin.notify.routing.receivers import Planned
from tocsin.notify.routing.tree import compile_tree, resolve

SHOP = FIXTURES / "shop.yml"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Unsound) as error:
        alertmanager.read(text)
    assert said in str(error.value)


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_read(text: str) -> None:
    assert alertmanager.read(text).routing.route.receiver == "chat"


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.yml")), ids=lambda file: file.name)
def test_the_examples_are_read(file: Path) -> None:
    found = alertmanager.read_file(file)
    assert len(found.channels) > 3
    for channel in found.channels:
        drivers.get(channel.driver).Config.model_validate(channel.config)


def test_all_that_is_wrong_is_told_at_once_and_in_order() -> None:
    text = SHOP.read_text().replace("group_wait: 30s", "group_wait: soon").replace("to: dba@", "too: dba@")
    with pytest.raises(Unsound) as error:
        alertmanager.read(text.replace("receiver: lonely", "receiver: nobody-else"))
    assert [(problem.line, problem.path) for problem in error.value.problems] == [
        (14, "route.group_wait"),
        (41, "route.routes[4].receiver"),
        (52, "receivers[1].email_configs[0]"),
    ]


def test_what_is_not_carried_over_is_told_line_by_line() -> None:
    told = {note.line: (note.path, note.what) for note in alertmanager.read_file(SHOP).notes}
    lines = SHOP.read_text().splitlines()
    for line, (path, _) in told.items():
        last = path.rpartition(".")[2]
        assert "[" in last or f"{last}:" in lines[line - 1]
    assert told[65] == (
        "receivers[3].webhook_configs[0].http_config.proxy_url",
        "requests are made without it",
    )
    assert told[69] == ("receivers[5].victorops_configs[0]", "Tocsin has no driver for victorops")
    assert {8, 9, 47, 48, 53, 55, 62, 63, 66, 67} <= told.keys()


def channels(found: Imported) -> dict[str, Planned]:
    return {channel.name: channel for channel in found.channels}


def test_receivers_become_channels() -> None:
    found = alertmanager.read_file(SHOP)
    made = channels(found)
    assert found.routing.receivers == {
        "chat": ["chat"], "dba": ["dba email", "dba slack"], "pager": ["pager"], "web": ["web"], "nobody": [],
        "lonely": [],
    }  # fmt: skip
    assert made["chat"].config["webhook_url"] == "https://hooks.slack.com/services/T000/B000/XXXX"
    assert {name: channel.send_resolved for name, channel in made.items()} == {
        "chat": True, "dba email": False, "dba slack": False, "pager": False, "web": True,
    }  # fmt: skip
    assert made["dba email"].config == {
        "to": "dba@example.com", "sender": "alerts@example.com", "username": "alerts", "password": "letmein",
        "smtp_host": "mail.example.com", "smtp_port": 587, "security": "starttls",
    }  # fmt: skip


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.yml")), ids=lambda file: file.name)
def test_what_was_read_can_be_kept_as_json(file: Path) -> None:
    found = alertmanager.read_file(file).routing
    kept = json.dumps(found.model_dump(by_alias=True, exclude_defaults=True))
    assert document.read(json.loads(kept)) == found


def test_inhibitions_and_templates_are_kept() -> None:
    found = alertmanager.read_file(SHOP)
    [rule] = found.inhibit_rules
    assert list(map(str, rule.source + rule.target)) == ['severity="critical"', 'severity=~"warning|info"']
    assert rule.equal == ("alertname", "cluster")
    assert found.templates == ["/etc/alertmanager/*.tmpl"]


def test_hours_under_both_names_count() -> None:
    tree = compile_tree(alertmanager.read_file(SHOP).routing)
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for at, muted in ((NOON, False), (sunday, True)):
        [decision] = resolve(tree, {"severity": "debug"}, at)
        assert (decision.receiver, decision.muted is not None) == ("nobody", muted)


def test_several_of_a_kind_get_names_of_their_own() -> None:
    hooks = "webhook_configs: [{url: 'http://x/1'}, {url: 'http://x/2'}]"
    found = alertmanager.read(
        received(hooks) + "- name: chat webhook\n  webhook_configs: [{url: 'http://x/3'}]\n"
    )
    assert {name: channel.config["url"] for name, channel in channels(found).items()} == {
        "chat webhook": "http://x/1",
        "chat webhook 2": "http://x/2",
        "chat webhook 3": "http://x/3",
    }


def test_secrets_in_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef\n")
    file = tmp_path / "alertmanager.yml"
    file.write_text(received("pagerduty_configs: [{routing_key_file: key}]"))
    [channel] = alertmanager.read_file(file).channels
    assert channel.config == {"routing_key": "0123456789abcdef0123456789abcdef"}
    (tmp_path / "key").unlink()
    [note] = alertmanager.read_file(file).notes[:1]
    assert note.what == "cannot read key: No such file or directory"


def test_files_are_read_for_nobody_but_who_has_them() -> None:
    found = alertmanager.read(received("pagerduty_configs: [{routing_key_file: /etc/passwd}]"))
    assert found.channels[0].config == {}
    assert found.notes[0].what == "cannot read /etc/passwd: files are not read here"


def test_slack_by_its_api() -> None:
    found = alertmanager.read(
        received(
            "slack_configs:",
            "- api_url: https://slack.com/api/chat.postMessage",
            "  channel: C0123456789",
            "  http_config: {authorization: {credentials: xoxb-1}, follow_redirects: false}",
        )
    )
    assert found.channels[0].config == {
        "bot_token": "xoxb-1", "channel_id": "C0123456789", "api_url": "https://slack.com/api/",
    }  # fmt: skip
    assert [note.path for note in found.notes] == [
        "receivers[0].slack_configs[0].http_config.follow_redirects"
    ]


def test_jira_with_who_signs_in() -> None:
    found = alertmanager.read(
        received(
            "jira_configs:",
            "- api_url: https://example.atlassian.net/rest/api/3/",
            "  project: OPS",
            "  issue_type: Bug",
            "  resolve_transition: Closed",
            "  http_config: {basic_auth: {username: ops@example.com, password: abc}}",
        )
    )
    assert found.channels[0].config == {
        "url": "https://example.atlassian.net", "project": "OPS", "issue_type": "Bug", "done": "Closed",
        "email": "ops@example.com", "token": "abc",
    }  # fmt: skip
    assert found.notes == []


@pytest.mark.parametrize(
    ("written", "driver", "config"),
    [
        ("discord_configs: [{webhook_url: 'https://discord.com/api/webhooks/1/a'}]", "discord",
         {"webhook_url": "https://discord.com/api/webhooks/1/a"}),
        ("msteams_configs: [{webhook_url: 'https://example.webhook.office.com/a'}]", "teams",
         {"webhook_url": "https://example.webhook.office.com/a", "style": "message_card"}),
        ("msteamsv2_configs: [{webhook_url: 'https://example.logic.azure.com/a'}]", "teams",
         {"webhook_url": "https://example.logic.azure.com/a"}),
        ("pushover_configs: [{user_key: u, token: t, device: phone}]", "pushover",
         {"user": "u", "token": "t", "device": "phone"}),
        ("mattermost_configs: [{webhook_url: 'https://chat.example.com/hooks/a'}]", "mattermost",
         {"webhook_url": "https://chat.example.com/hooks/a"}),
        ("opsgenie_configs: [{api_key: k, api_url: 'https://api.eu.opsgenie.com/'}]", "opsgenie",
         {"api_key": "k", "url": "https://api.eu.opsgenie.com/"}),
        ("telegram_configs: [{bot_token: '1:a', chat_id: -5, message_thread_id: 7}]", "telegram",
         {"token": "1:a", "chat_id": "-5", "topic_id": "7"}),
        ("pagerduty_configs: [{routing_key: k, url: 'https://pager.example.com/v2/enqueue'}]", "pagerduty",
         {"routing_key": "k", "url": "https://pager.example.com/v2/enqueue"}),
    ],
)  # fmt: skip
def test_integrations_have_their_drivers(written: str, driver: str, config: dict[str, str]) -> None:
    [channel] = alertmanager.read(received(written)).channels
    assert (channel.driver, channel.config) == (driver, config)


def test_fields_that_are_go_templates_are_left_to_people() -> None:
    mail = (
        "email_configs: [{to: '{{ .CommonLabels.owner }}@x.example', from: a@x.example, smarthost: 'x:25'}]"
    )
    found = alertmanager.read(received(mail))
    config = {"sender": "a@x.example", "smtp_host": "x", "smtp_port": 25, "security": "starttls"}
    assert found.channels[0].config == config
    assert ("to is a Go template", "it must be set by hand") in [(n.what, n.instead) for n in found.notes]


@pytest.mark.parametrize(
    ("port", "tls", "security"), [(465, "true", "tls"), (587, "true", "starttls"), (25, "false", "none")]
)
def test_how_mail_is_encrypted(port: int, tls: str, security: str) -> None:
    given = f"to: a@x.example, from: b@x.example, smarthost: 'mx:{port}', require_tls: {tls}"
    [channel] = alertmanager.read(received(f"email_configs: [{{{given}}}]")).channels
    assert (channel.config["security"], channel.config["smtp_port"]) == (security, port)


def test_what_a_newer_alertmanager_has_is_told_and_left_out() -> None:
    found = alertmanager.read(received("carrier_pigeon_configs: [{loft: 7}]"))
    assert [note.path for note in found.notes] == ["receivers[0]", "receivers[0].carrier_pigeon_configs"]
    found = alertmanager.read(received("webhook_configs: [{url: 'http://x/', novelty: 1}]"))
    assert "nobody here knows this field" in [note.what for note in found.notes]


def test_parts_of_seconds_are_rounded_up() -> None:
    found = alertmanager.read("route: {receiver: a, group_wait: 1s500ms}\nreceivers: [{name: a}]\n")
    assert found.routing.route.group_wait == 2
    assert found.notes[0].path == "route.group_wait"


def test_no_message_shows_a_secret() -> None:
    text = received("slack_configs: [{api_url: 's3cr3t'}]", "telegram_configs: [{bot_token: s3cr3t}]")
    with pytest.raises(Unsound) as error:
        alertmanager.read(text)
    assert "s3cr3t" not in str(error.value)
    found = alertmanager.read(received("telegram_configs: [{bot_token: s3cr3t, chat_id: 5}]"))
    assert "s3cr3t" not in "".join(map(str, found.notes))


SHOP_READ = lines.read(SHOP.read_text()).plain()
KINDS = (
    None,
    "",
    "0",
    "-1",
    "true",
    "x",
    "a=b",
    "30s",
    "{{ .x }}",
    [],
    {},
    ["x"],
    [None],
    [[]],
    [{}],
    {"a": "b"},
)


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Each mapping or list in a document, with each of its keys."""
    keys = list(document) if isinstance(document, dict) else range(len(document))
    for key in keys:
        yield document, key
        if isinstance(document[key], dict | list):
            yield from places(document[key])


@pytest.mark.parametrize("seed", range(100))
def test_whatever_stands_there_it_is_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    changed = copy.deepcopy(SHOP_READ)
    for _ in range(chance.randint(1, 3)):
        within, key = chance.choice(list(places(changed)))
        within[key] = chance.choice(KINDS)
    try:
        found = alertmanager.read(json.dumps(changed))
    except Unsound as error:
        assert all(problem.message for problem in error.problems)
    else:
        assert resolve(compile_tree(found.routing), {"team": "web"}, NOON)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(Rejected, match="cannot read nowhere.yml: No such file"):
        alertmanager.read_file(Path("nowhere.yml"))


def test_groups_that_differ_from_those_of_a_route_that_goes_on_are_told() -> None:
    found = alertmanager.read("""
route:
  receiver: all
  group_by: [alertname]
  routes:
  - matchers: [team=web]
    continue: true
  - matchers: [severity=critical]
    group_by: [cluster]
  - matchers: [severity=warning]
receivers: [{name: all}]
""")
    told = [note for note in found.notes if "grouped once" in note.what]
    assert [(note.line, note.path) for note in told] == [(9, "route.routes[1].group_by")]


def test_that_nothing_inhibits_yet_is_told() -> None:
    found = alertmanager.read("""
route: {receiver: all}
receivers: [{name: all}]
inhibit_rules:
- source_matchers: [severity=critical]
  target_matchers: [severity=warning]
  equal: [instance]
""")
    assert [note.line for note in found.notes if "inhibits" in note.what] == [5]
