"""What a thread says: its head, and the answers below it, as messages that Tocsin's drivers word."""

from datetime import datetime
from hashlib import sha256

from tocsin.notify.message import ALERTS_SHOWN, FIRING, RESOLVED, Message, MessageAlert
from tocsin.threader.thread import Alert, News


def head(news: News) -> Message:
    """The head of the thread, as it should be now."""
    thread = news.thread
    shown = list(thread.shown.values())
    links = [f"Alertmanager: {news.last.url}"] if news.last.url.startswith(("http://", "https://")) else []
    return _message(news, shown, max(0, len(thread.alerts) - len(shown)) + news.last.truncated, links)


def answer(news: News) -> Message:
    """What is new."""
    told = news.alerts[:ALERTS_SHOWN]
    return _message(news, told, len(news.alerts) - len(told), [])


def _message(news: News, alerts: list[Alert], more: int, findings: list[str]) -> Message:
    thread, last = news.thread, news.last
    return Message(
        id=f"{thread.id}.{thread.told}",
        kind=RESOLVED if thread.over_at else FIRING,
        reason=news.reason,
        title=last.title,
        severity=thread.severity,
        trace_id=last.trace_id,
        url="",
        incident_id=int.from_bytes(sha256(last.key.encode()).digest()[:6]),
        status="resolved" if thread.over_at else "open",
        firing=thread.firing,
        total=len(thread.alerts),
        opened_at=thread.opened_at,
        alerts=[_alert(alert, last.received_at) for alert in alerts],
        more_alerts=more,
        findings=findings,
        runbook=last.runbook,
    )


def _alert(alert: Alert, received_at: datetime) -> MessageAlert:
    return MessageAlert(
        name=alert.name,
        status=alert.status,
        severity=alert.severity,
        fingerprint=alert.fingerprint,
        labels={"instance": alert.where} if alert.where else {},
        annotations={"summary": alert.text} if alert.text else {},
        started_at=alert.started_at or received_at,
        ended_at=alert.ended_at,
    )
