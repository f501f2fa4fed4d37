"""GitHub webhooks: security alerts, issues, and runs, checks and deployments that failed.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

LEVELS: Final = {
    "high": severity.ERROR,
    "moderate": severity.WARNING,
    "note": severity.INFO,
    "none": severity.INFO,
}
OPEN: Final = {"created", "create", "opened", "reopened", "reopened_by_user", "auto_reopened", "reintroduced",
               "appeared_in_branch", "publicly_leaked"}  # fmt: skip
OVER: Final = {"fixed", "closed", "closed_by_user", "dismissed", "dismiss", "auto_dismissed", "resolved",
               "resolve", "deleted"}  # fmt: skip
AGAIN: Final = {"reopened", "reopened_by_user", "auto_reopened", "reintroduced"}
FAILED: Final = {"failure", "timed_out", "startup_failure", "action_required", "error"}
RUNS: Final = ("workflow_run", "workflow_job", "check_run", "check_suite", "deployment_status")


class Driver(DocumentDriver):
    """GitHub: Dependabot, code scanning and secret scanning alerts, issues, and failed runs."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if part.has("zen", "hook_id") or part.has("security_advisory.ghsa_id", "action"):
            return 95
        if not part.has("repository.full_name") or not part.has("sender.login"):
            return 0
        return 95 if any(part.has(name) for name in ("alert", "issue", *RUNS)) else 70

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        repo = part.text("repository.full_name")
        if any(part.has(name) for name in RUNS):
            return _run(part, repo)
        if not part.has("repository") or part.has("comment") or part.has("location"):
            # A ping, somebody else's advisory, a comment on an issue, one more place of a secret.
            return None
        action = part.text("action")
        status: Status | None = "firing" if action in OPEN else "resolved" if action in OVER else None
        if status is None or not (part.has("alert") or part.has("issue")) or part.has("issue.pull_request"):
            return None
        kind, read = next(((kind, read) for mark, kind, read in KINDS if part.has(mark)), ("issue", _issue))
        about = part.part("alert" if part.has("alert") else "issue")
        name, word, labels = read(about)
        labels |= {"alertname": name, "instance": repo, "repo": repo, "kind": kind, "severity": word}
        words = {"summary": about.text("security_advisory.summary", "rule.description", "title") or name}
        words |= {"description": about.text("security_advisory.description", "rule.full_description", "body")}
        words |= about.fields("dismissed_reason", "dismissed_comment", "resolution", "state_reason")
        # What is reopened was over: its first day is no longer that of this alert.
        began = about.moment("updated_at") if action in AGAIN else about.moment("created_at")
        return AlertEvent(
            labels=filled(labels | about.fields("number")),
            status=status,
            name=name,
            severity=LEVELS.get(word.lower()) or severity.read(word),
            annotations=filled(words),
            starts_at=began,
            ends_at=_ended(about) if status == "resolved" else None,
            generator_url=about.text("html_url"),
            fingerprint=identity("github", repo, kind, about.text("number", "id")),
        )


Reader = Callable[[Part], tuple[str, str, dict[str, str]]]  # its name, its word for how bad it is, its labels


def _dependabot(alert: Part) -> tuple[str, str, dict[str, str]]:
    labels = alert.part("security_advisory").fields("cve_id", "ghsa_id")
    labels["package"] = alert.text("dependency.package.name", "security_vulnerability.package.name")
    labels["ecosystem"] = alert.text(
        "dependency.package.ecosystem", "security_vulnerability.package.ecosystem"
    )
    word = alert.text("security_advisory.severity", "security_vulnerability.severity")
    return alert.text("security_advisory.summary") or alert.need("number"), word, labels


def _vulnerability(alert: Part) -> tuple[str, str, dict[str, str]]:
    labels = {"cve_id": alert.text("external_identifier"), "ghsa_id": alert.text("ghsa_id")}
    return alert.need("affected_package_name"), alert.text("severity"), labels


def _code_scanning(alert: Part) -> tuple[str, str, dict[str, str]]:
    labels = {"rule": alert.text("rule.id"), "tool": alert.text("tool.name")}
    return (
        alert.text("rule.description", "rule.name") or alert.need("rule.id"),
        alert.text("rule.severity"),
        labels,
    )


def _secret(alert: Part) -> tuple[str, str, dict[str, str]]:
    return alert.need("secret_type"), "", {"secret_type": alert.text("secret_type")}


def _issue(issue: Part) -> tuple[str, str, dict[str, str]]:
    return (
        issue.need("title"),
        "",
        {"issue_labels": ",".join(label.text("name") for label in issue.parts("labels"))},
    )


KINDS: Final[tuple[tuple[str, str, Reader], ...]] = (
    ("alert.security_advisory", "dependabot", _dependabot),
    ("alert.affected_package_name", "vulnerability", _vulnerability),
    ("alert.rule", "code_scanning", _code_scanning),
    ("alert.secret_type", "secret_scanning", _secret),
    ("alert", "code_scanning", _code_scanning),
)


def _ended(about: Part) -> datetime | None:
    return about.moment("fixed_at", "dismissed_at", "auto_dismissed_at", "resolved_at", "closed_at")


def _run(part: Part, repo: str) -> AlertEvent | None:
    """A run that failed; one that succeeded says nothing of another that did not."""
    kind = next(name for name in RUNS if part.has(name))
    run = part.part(kind)
    told = run.text("conclusion") or (run.text("state") if kind == "deployment_status" else "")
    if told not in FAILED:
        return None
    name = run.text("name", "workflow_name", "app.name", "environment") or part.text("workflow.name") or kind
    branch = run.text("head_branch", "check_suite.head_branch", "ref") or part.text("deployment.ref")
    labels = {
        "alertname": name,
        "instance": repo,
        "repo": repo,
        "kind": kind,
        "branch": branch,
        "severity": told,
    }
    labels["environment"] = run.text("environment")
    words = {
        "summary": f"{name}: {told}",
        "description": run.text("display_title", "description", "output.summary"),
    }
    return AlertEvent(
        labels=filled(labels),
        name=name,
        severity=severity.ERROR,
        annotations=filled(words | run.fields("head_sha", "run_number", "run_attempt", "event")),
        starts_at=run.moment("run_started_at", "started_at", "created_at"),
        generator_url=run.text("html_url", "target_url", "log_url"),
        fingerprint=identity("github", repo, kind, run.text("id")),
    )
