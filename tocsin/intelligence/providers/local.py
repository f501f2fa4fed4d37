"""Plain rules, no service behind them: what the checks and the alert's own text already tell."""

from typing import Final

from tocsin.intelligence.providers import BaseProvider, Evidence, Recommendation

_ADVICE: Final = {
    "cpu": "See what is busy: ps aux --sort=-%cpu | head",
    "memory": "See what holds it: ps aux --sort=-rss | head; look for the OOM killer in dmesg",
    "disk": "Find what grew: du -xh / --max-depth=2 | sort -h | tail; rotate or remove logs",
}
_RUNBOOKS: Final = ("runbook_url", "runbook", "runbookUrl")


class Provider(BaseProvider):
    """Findings that need no guess."""

    def analyze(self, evidence: Evidence) -> list[Recommendation]:
        found = [
            Recommendation(
                title=f"{checker} on {evidence.instance} is {status}",
                advice=_ADVICE.get(checker, "Look at it before anything else."),
                evidence=message,
                severity=status,
            )
            for checker, status, message in evidence.checks
            if status in ("warning", "critical")
        ]
        found.sort(key=lambda finding: finding.severity)  # critical before warning
        return found + _runbooks(evidence)


def _runbooks(evidence: Evidence) -> list[Recommendation]:
    links = {
        notes[key]: None
        for notes in evidence.annotations
        for key in _RUNBOOKS
        if notes.get(key, "").startswith(("http://", "https://"))
    }
    return [Recommendation("There is a runbook", link, "named in the alert's annotations") for link in links]
