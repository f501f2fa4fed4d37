"""The local provider: what checks and the alert's own text already tell."""

from tests.notify.messages import HOSTILE
from tocsin.intelligence import services
from tocsin.intelligence.providers import Evidence, providers
from tocsin.intelligence.providers.local import Provider


def _evidence(**given: object) -> Evidence:
    return Evidence(title="HighCPU on web-1", severity="critical", status="open", instance="web-1", **given)  # type: ignore[arg-type]


def test_where_all_is_well_there_is_nothing_to_say() -> None:
    assert Provider().analyze(_evidence(checks=[("cpu", "ok", "3 % busy"), ("disk", "unknown", "?")])) == []


def test_what_is_unwell_is_found_with_advice_the_worst_first() -> None:
    checks = [("memory", "warning", "85 % used"), ("cpu", "ok", ""), ("disk", "critical", "/ is 97 % full")]
    disk, memory = Provider().analyze(_evidence(checks=checks))
    assert (disk.title, disk.severity, disk.evidence) == (
        "disk on web-1 is critical",
        "critical",
        "/ is 97 % full",
    )
    assert "du -xh" in disk.advice
    assert (memory.title, memory.severity) == ("memory on web-1 is warning", "warning")


def test_a_checker_nobody_has_advice_for_is_found_too() -> None:
    [found] = Provider().analyze(_evidence(checks=[("raid", "critical", "degraded")]))
    assert found.advice


def test_a_runbook_is_named_once() -> None:
    link = "https://wiki.example.com/cpu"
    notes = [{"runbook_url": link}, {"runbook": link}, {"summary": "x"}]
    [found] = Provider().analyze(_evidence(annotations=notes))
    assert (found.advice, found.severity) == (link, "info")


def test_what_is_no_link_is_no_runbook() -> None:
    notes = [{"runbook_url": text} for text in ("javascript:alert(1)", "see the wiki", "", HOSTILE)]
    assert Provider().analyze(_evidence(annotations=notes)) == []


def test_the_local_provider_is_the_one_asked_without_a_name() -> None:
    assert services.DEFAULT == "local"
    assert "local" in providers.names()
    assert services.analyze(_evidence()) == []
