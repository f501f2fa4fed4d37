"""Alertmanager's files that are wrong, and what is to be said of them; amtool refuses them too."""

from pathlib import Path
from typing import Final

FIXTURES: Final = Path(__file__).parent.parent.parent / "fixtures" / "routing"

_BASE: Final = """\
route:
  receiver: chat
receivers:
- name: chat
"""


def routed(*lines: str) -> str:
    """A file whose root route has these lines more."""
    more = "".join(f"  {line}\n" for line in lines)
    return _BASE.replace("receivers:\n", f"{more}receivers:\n")


def below(*lines: str) -> str:
    """A file with a route below the root that has these lines."""
    return routed("routes:", f"- {lines[0]}", *(f"  {line}" for line in lines[1:]))


def received(*lines: str) -> str:
    """A file whose receiver has these lines more."""
    return _BASE + "".join(f"  {line}\n" for line in lines)


def hours(*lines: str) -> str:
    """A file with one time interval."""
    return f"{_BASE}time_intervals:\n- name: x\n  time_intervals:\n  - " + "\n    ".join(lines) + "\n"


WRONG: Final = [
    ("", "line 1: there is no route"),
    ("receivers: [{name: a}]\n", "there is no route"),
    (_BASE + "colour: red\n", "line 5: colour: there is no such field"),
    (_BASE + "route: {receiver: chat}\n", "line 5: 'route' stands here twice"),
    (_BASE + "- name: chat\n", "line 5: receivers[1]: there is another receiver named 'chat'"),
    (_BASE + "- slack_configs: []\n", "line 5: receivers[1]: a receiver needs a name"),
    (_BASE.replace("receiver: chat", "group_wait: 5s"), "line 1: route: the root route must say who"),
    (_BASE.replace("receiver: chat", "receiver: x"), "line 2: route.receiver: undefined receiver 'x'"),
    (routed("recever: chat"), "line 3: route.recever: there is no such field"),
    (routed("name: root"), "line 3: route.name: there is no such field"),
    (routed("matchers: [a=b]"), "the root route must not have any matchers"),
    (routed("continue: true"), "line 3: route.continue"),
    (routed("mute_time_intervals: [x]"), "line 3: route.mute_time_intervals"),
    (routed("group_wait: 30"), "line 3: route.group_wait: '30' is no duration"),
    (routed("group_wait: 1m 30s"), "'1m 30s' is no duration"),
    (routed("group_wait: 30s1m"), "'30s1m' is no duration"),
    (routed("group_interval: 0s"), "line 3: route.group_interval"),
    (routed("repeat_interval: 0s"), "line 3: route.repeat_interval"),
    (routed("group_by: ['...', a]"), "line 3: route.group_by: '...' is for all labels"),
    (routed("group_by: [a, a]"), "line 3: route.group_by: the label 'a' stands here twice"),
    (routed("group_by: alertname"), "line 3: route.group_by"),
    (routed("routes: {}"), "line 3: route.routes"),
    (below("receiver: nobody"), "line 4: route.routes[0].receiver: undefined receiver 'nobody'"),
    (below("matchers: [a~b]"), "line 4: route.routes[0].matchers[0]: bad matcher format: a~b"),
    (below("matchers: ['a=~(']"), "line 4: route.routes[0].matchers[0]: error parsing regexp"),
    (below("matchers: a=b"), "line 4: route.routes[0].matchers"),
    (below("match_re: {a: '('}"), "line 4: route.routes[0].match_re.a: error parsing regexp"),
    (below("match: {a-b: c}"), "line 4: route.routes[0].match.a-b"),
    (below("receiver: chat", "continue: maybe"), "line 5: route.routes[0].continue"),
    (below("mute_time_intervals: [x]"), "line 4: route.routes[0].mute_time_intervals[0]: undefined time"),
    (below("active_time_intervals: [x]"), "line 4: route.routes[0].active_time_intervals[0]: undefined time"),
    (received("webhook_configs: [{max_alerts: 5}]"), "receivers[0].webhook_configs[0]: url is missing"),
    (
        received("webhook_configs: [{url: 'ftp://x/'}]"),
        "line 5: receivers[0].webhook_configs[0].url: it is no",
    ),
    (
        received("webhook_configs: {url: 'http://x/'}"),
        "line 5: receivers[0].webhook_configs: a list is expected",
    ),
    (received("slack_configs: [{channel: x}]"), "slack_configs[0]: api_url is missing"),
    (received("email_configs: [{to: a@example.com}]"), "email_configs[0]: smarthost is missing"),
    (
        received("email_configs: [{smarthost: 'x:25', from: a@example.com}]"),
        "email_configs[0]: to is missing",
    ),
    (
        received("email_configs: [{to: a@example.com, from: b@example.com, smarthost: x}]"),
        "smarthost: an address with a port is expected",
    ),
    (received("pagerduty_configs: [{url: 'http://x/'}]"), "routing_key or service_key is missing"),
    (received("opsgenie_configs: [{message: x}]"), "opsgenie_configs[0]: api_key is missing"),
    (received("telegram_configs: [{bot_token: 'x'}]"), "telegram_configs[0]: chat_id is missing"),
    (received("telegram_configs: [{chat_id: 5}]"), "telegram_configs[0]: bot_token is missing"),
    (received("pushover_configs: [{token: x}]"), "pushover_configs[0]: user_key is missing"),
    (received("victorops_configs: [{api_key: x}]"), "victorops_configs[0]: routing_key is missing"),
    (received("slack_config: []"), "line 5: receivers[0].slack_config: there is no such field"),
    (
        received("slack_configs: [{api_url: 'http://x/', api_url_file: x}]"),
        "at most one of api_url and api_url_file can be given",
    ),
    (
        f"global: {{slack_api_url: 'http://x/', slack_api_url_file: x}}\n{_BASE}",
        "line 1: global.slack_api_url_file: at most one",
    ),
    (f"global: {{smtp_smarthost: mail}}\n{_BASE}", "line 1: global.smtp_smarthost: an address with a port"),
    (f"global: []\n{_BASE}", "line 1: global: a mapping is expected here"),
    (_BASE + "templates: x\n", "line 5: templates: a list is expected here"),
    (_BASE + "- x\n", "line 5: receivers[1]: a mapping is expected here"),
    (_BASE + "inhibit_rules: [{equal: a}]\n", "line 5: inhibit_rules[0].equal: a list is expected here"),
    (
        received("webhook_configs: [{url: 'http://x/', send_resolved: often}]"),
        "send_resolved: true or false is",
    ),
    (
        received("webhook_configs: [{url: 'http://x/', max_alerts: many}]"),
        "max_alerts: a number is expected here",
    ),
    (received("slack_configs: [{api_url: 'http://x/', title: [x]}]"), "title: a text is expected here"),
    (received("webhook_configs: [x]"), "line 5: receivers[0].webhook_configs[0]: a mapping is expected here"),
    (f"global: {{opsgenie_api_url: nowhere}}\n{_BASE}", "line 1: global.opsgenie_api_url: it is no URL"),
    (f"global: {{resolve_timeout: soon}}\n{_BASE}", "line 1: global.resolve_timeout: 'soon' is no duration"),
    (_BASE + "inhibit_rules: [{source_matchers: ['a~b']}]\n", "line 5: inhibit_rules[0].source_matchers[0]"),
    (_BASE + "inhibit_rules: [{source_match_re: {a: '('}}]\n", "line 5: inhibit_rules[0].source_match_re.a"),
    (_BASE + "inhibit_rules: [{source: x}]\n", "line 5: inhibit_rules[0].source: there is no such field"),
    (
        hours("times: [{start_time: '22:00', end_time: '06:00'}]"),
        "line 8: time_intervals[0].time_intervals[0]",
    ),
    (hours("times: [{start_time: '9:00', end_time: '17:00'}]"), "'9:00' is no time of day"),
    (hours("weekdays: ['friday:monday']"), "line 8: time_intervals[0].time_intervals[0].weekdays[0]"),
    (hours("days_of_month: ['0']"), "line 8: time_intervals[0].time_intervals[0].days_of_month[0]"),
    (hours("months: ['may:march']"), "line 8: time_intervals[0].time_intervals[0].months[0]"),
    (
        hours("weekdays: [monday]", "location: Europe/Atlantis"),
        "line 9: time_intervals[0].time_intervals[0].loc",
    ),
    (hours("holidays: [x]"), "line 8: time_intervals[0].time_intervals[0].holidays: there is no such field"),
    (
        hours("months: [may]") + "- name: x\n",
        "time_intervals[1].name: there is another time interval named 'x'",
    ),
    (
        hours("months: [may]") + "mute_time_intervals: [{name: x}]\n",
        "line 9: mute_time_intervals[0].name: there",
    ),
    (_BASE + "time_intervals: [{time_intervals: []}]\n", "line 5: time_intervals[0].name: it is missing"),
    ("route: [", "not YAML"),
]

RIGHT: Final = [
    routed("group_wait: 0s", "group_interval: 1d2h", "repeat_interval: 1y"),
    routed("group_by: []", "match: {}", "matchers: []", "routes:"),
    routed("routes: []", "continue: no"),
    below('matchers: [\'{a="b",c!="d"}\', "e=~f"]', "match: {a: 1}", "match_re: {b: true}"),
    below("receiver:", "group_by: ['...']"),
    received("slack_configs:", "webhook_configs: []"),
    received("webhook_configs: [{url: 'http://x/', send_resolved: no}]"),
    f"global: {{slack_api_url_file: nowhere}}\ntemplates: []\n{received('slack_configs: [{channel: x}]')}",
    hours(
        "times: [{start_time: '00:00', end_time: '24:00'}]", "weekdays: [Monday]", "days_of_month: ['-1', 5]"
    ),
    hours("months: ['1:3', december]", "years: [2026, '2027:2030']", "location: Australia/Sydney"),
    _BASE + "inhibit_rules: [{source_match: {a: b}, target_matchers: ['c=d'], equal: [a]}]\n",
    "global:\n" + _BASE,
    "x: &x {receiver: chat}\n".replace("x: &x", "route: &x") + "receivers: [{name: chat}]\n",
]
