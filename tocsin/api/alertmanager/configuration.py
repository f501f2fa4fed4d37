"""What is in force, as a configuration of Alertmanager: amtool and others read it."""

from collections.abc import Mapping, Sequence

import msgspec


def original(
    channels: Mapping[int, str], group_by: Sequence[str], resolve_timeout: int, public_url: str
) -> str:
    """YAML that Alertmanager would take. A receiver stands for each channel; its URL is where people see
    the channel, as what is configured there is secret.

    Every channel is told at once and of everything, and of nothing twice.
    """
    names = list(channels.values()) or [NOBODY]
    lines = [
        "global:",
        f"  resolve_timeout: {resolve_timeout}s",
        "route:",
        f"  receiver: {_text(names[0])}",
        *([f"  group_by: [{', '.join(map(_text, dict.fromkeys(group_by)))}]"] if group_by else []),
        "  group_wait: 0s",
        "  group_interval: 1s",
        "  repeat_interval: 1y",
        *(_routes(names) if len(names) > 1 else []),
        "receivers:",
    ]
    for number, name in channels.items():
        lines += [
            f"- name: {_text(name)}",
            "  webhook_configs:",
            f"  - url: {_text(f'{public_url}/channels/{number}/')}",
            "    send_resolved: true",
        ]
    if not channels:
        lines.append(f"- name: {_text(NOBODY)}")
    return "\n".join([*lines, "templates: []", ""])


NOBODY = "nobody"  # the receiver where there is no channel: Alertmanager needs one


def _routes(names: Sequence[str]) -> list[str]:
    routes = [[f"  - receiver: {_text(name)}", "    continue: true"] for name in names]
    return ["  routes:", *(line for route in routes for line in route)]


def _text(value: str) -> str:
    """A JSON string is a YAML one."""
    return msgspec.json.encode(value).decode()
