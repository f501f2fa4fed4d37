"""Several messages as one: the news of one incident that wait for the same channel, and, in a storm, all that
wait for it. Values in, values out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from tocsin.core.severity import RANK
from tocsin.notify.message import ALERTS_SHOWN, DIGEST, RESOLVED, Message, MessageAlert

SERVICES_SHOWN: Final = 6
_SERVICE_LABELS: Final = ("service", "job", "app", "alertname")


def newest(messages: Sequence[Message]) -> Message:
    """The last of one incident's messages, in order, with the alerts of those before it as they are now."""
    last = messages[-1]
    alerts: dict[str, MessageAlert] = {}
    for message in messages:
        for alert in message.alerts:
            alerts.pop(alert.fingerprint, None)
            alerts[alert.fingerprint] = alert
    told = list(reversed(alerts.values()))  # what changed last comes first
    more = sum(message.more_alerts for message in messages)
    return msgspec.structs.replace(
        last,
        alerts=told[:ALERTS_SHOWN],
        more_alerts=max(0, len(told) - ALERTS_SHOWN) + more,
        findings=next((m.findings for m in reversed(messages) if m.findings), []),
        runbook=next((m.runbook for m in reversed(messages) if m.runbook), ""),
        severity=_worst(messages) if last.kind != RESOLVED else last.severity,
    )


def digest(messages: Sequence[Message], seconds: float, *, id: str, trace_id: str, url: str) -> Message:
    """What a storm of messages says in one: how many alerts of how many services, and the worst of it."""
    alerts = sum(_alerts(message) for message in messages)
    services = _by_service(messages)
    worst = _worst(messages)
    over = sum(message.kind == RESOLVED for message in messages)
    title = (
        f"{_count(alerts, 'alert')} of {_count(len(messages), 'incident')} in {_lasting(seconds)}: "
        f"{_count(len(services), 'service')}, worst {worst}"
    )
    findings = [
        f"{name}: {_count(count, 'alert')}, worst {level}"
        for name, (count, level) in list(services.items())[:SERVICES_SHOWN]
    ]
    if len(services) > SERVICES_SHOWN:
        findings.append(f"… and {_count(len(services) - SERVICES_SHOWN, 'service')} more")
    if over:
        findings.append(f"{_count(over, 'incident')} of these {'is' if over == 1 else 'are'} over already")
    return Message(
        id=id,
        kind=DIGEST,
        reason="storm",
        title=title,
        severity=worst,
        trace_id=trace_id,
        url=url,
        firing=sum(message.firing for message in messages if message.kind != RESOLVED),
        total=alerts,
        opened_at=min((m.opened_at for m in messages if m.opened_at), default=None),
        findings=findings,
    )


def _by_service(messages: Iterable[Message]) -> dict[str, tuple[int, str]]:
    """By service, how many alerts and the worst severity; the largest first."""
    counts: Counter[str] = Counter()
    levels: dict[str, str] = {}
    for message in messages:
        name = service_of(message)
        counts[name] += _alerts(message)
        levels[name] = max(levels.get(name, message.severity), message.severity, key=_rank)
    return {name: (count, levels[name]) for name, count in counts.most_common()}


def service_of(message: Message) -> str:
    """What its alerts are about, by the labels that name it most often."""
    labels = [message.labels, *(alert.labels for alert in message.alerts[:1])]
    found = (said[name] for name in _SERVICE_LABELS for said in labels if said.get(name))
    return next(found, message.title)


def _alerts(message: Message) -> int:
    return max(1, len(message.alerts) + message.more_alerts)


def _worst(messages: Iterable[Message]) -> str:
    return max((message.severity for message in messages), key=_rank)


def _rank(severity: str) -> int:
    return RANK.get(severity, 0)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _lasting(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{round(seconds / 60)} min"
