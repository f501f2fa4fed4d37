"""What to copy into a tool so that it sends here as a source: for each way in, ready to paste."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from tocsin.alerts.models import Source

PLACEHOLDER = "TOKEN"  # where the token itself is not shown any more


@dataclass(frozen=True)
class Snippet:
    """Something to copy, and what it is for."""

    title: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Snippets for one kind of tool."""

    title: str
    snippets: list[Snippet]


def groups(source: Source, token: str, base: str) -> list[Group]:
    """All ways in that take a source's token; ``base`` is where Tocsin is reached."""
    return [
        Group("Try it out", _test(source, token, base)),
        Group("A tool with a webhook", _webhooks(source, token, base)),
        Group("Prometheus and Alertmanager", _prometheus(token, base)),
        Group("A client of another service", _clients(source, token, base)),
    ]


def _test(source: Source, token: str, base: str) -> list[Snippet]:
    return [
        Snippet("Fire a test alert", _curl(source, token, base, "firing")),
        Snippet("End it", _curl(source, token, base, "resolved")),
    ]


def _curl(source: Source, token: str, base: str, status: str) -> str:
    alert = f'{{"name": "Test of {source.name}", "severity": "info", "status": "{status}"}}'
    kind = "-H 'Content-Type: application/json'"
    if source.mapping:  # which would not understand it
        key = f"-H 'Authorization: Bearer {token}'"
        return f"curl {kind} \\\n  {key} \\\n  -d '{alert}' \\\n  {base}/alerts/webhook/generic/"
    return f"curl {kind} \\\n  -d '{alert}' \\\n  {base}/alerts/source/{token}/"


def _webhooks(source: Source, token: str, base: str) -> list[Snippet]:
    read = "What is posted here is read by the source's mapping." if source.mapping else ""
    return [
        Snippet("Its own URL", f"{base}/alerts/source/{token}/", read or "For tools that know a URL alone."),
        Snippet(
            "The webhook, with a header",
            f"{base}/alerts/webhook/\nAuthorization: Bearer {token}",
            "For tools that can send a header. The driver is found from what they post.",
        ),
    ]


def _prometheus(token: str, base: str) -> list[Snippet]:
    url = urlsplit(base)
    target = url.netloc if url.port else f"{url.netloc}:{443 if url.scheme == 'https' else 80}"
    prefix = f"      path_prefix: {url.path}\n" if url.path else ""
    return [
        Snippet(
            "prometheus.yml",
            f"alerting:\n  alertmanagers:\n    - scheme: {url.scheme}\n{prefix}"
            f"      authorization:\n        credentials: {token}\n"
            f'      static_configs:\n        - targets: ["{target}"]',
            "Prometheus sends its alerts straight here.",
        ),
        Snippet(
            "alertmanager.yml",
            "receivers:\n  - name: tocsin\n    webhook_configs:\n"
            f"      - url: {base}/alerts/webhook/alertmanager/\n"
            f"        http_config:\n          authorization:\n            credentials: {token}",
            "A receiver for the routes that should lead here.",
        ),
    ]


def _clients(source: Source, token: str, base: str) -> list[Snippet]:
    return [
        Snippet("PagerDuty, Events API", f"{base}/v2/enqueue\nrouting_key: {token}"),
        Snippet("Opsgenie, Alert API", f"{base}/v2/alerts\nAuthorization: GenieKey {token}"),
        Snippet(
            "Grafana OnCall",
            f"{base}/integrations/v1/webhook/{token}/",
            "Instead of webhook, the type that the old URL has.",
        ),
        Snippet(
            "Uptime Kuma, push",
            f"{base}/api/push/{token}?status=up&msg=OK&ping=",
            f"Each call is a sign of life of the heartbeat {source.name}.",
        ),
    ]
