"""The page of figures says what was measured, and nothing but its tables is written."""

from pathlib import Path

import pytest

from bench import costs, tables
from bench.scenarios import SCENARIOS
from bench.shard import costs as spent_on


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "scaling.md"
    copy.write_text(tables.PAGE.read_text())
    monkeypatch.setattr(tables, "PAGE", copy)
    return copy


def test_the_page_has_the_costs_that_were_saved(page: Path) -> None:
    before = page.read_text()
    tables.renew(costs.read())
    assert page.read_text() == before, "python -m bench.costs --markdown"


def test_the_page_has_every_scenario() -> None:
    for scenario in SCENARIOS:
        assert f"| {scenario.title} |" in tables.PAGE.read_text(), "python -m bench.simulation --markdown"


def test_only_the_block_is_replaced(page: Path) -> None:
    page.write_text("before\n<!-- costs: written by bench -->\nold\n<!-- end of costs -->\nafter \\1\n")
    tables.put("costs", "new \\1")
    told = "before\n<!-- costs: written by bench -->\nnew \\1\n<!-- end of costs -->\nafter \\1\n"
    assert page.read_text() == told


def test_a_page_without_the_block_is_left_alone(page: Path) -> None:
    page.write_text("nothing to see")
    with pytest.raises(ValueError, match="no block 'costs'"):
        tables.put("costs", "new")
    assert page.read_text() == "nothing to see"


def test_what_was_saved_is_what_the_simulation_reckons_with() -> None:
    spent = spent_on(costs.read()["postgresql"])
    steps = (spent.commit, spent.decide, spent.walk, spent.finish, spent.claim)
    assert all(step.here.each > 0 and step.there.each > 0 for step in steps)
    assert all(step.here.fixed > step.here.each for step in steps)
    assert spent.post > spent.read > 0
