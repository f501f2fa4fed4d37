"""The load of the machine the tests run on."""

import os

import pytest

from tests.checkers.looking import look

NEVER = {f"{kind}_{minutes}m": 1e9 for kind in ("warning", "critical") for minutes in (1, 5, 15)}


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_each_span_has_thresholds_of_its_own(minutes: int) -> None:
    assert look("load", **NEVER).status == "ok"
    assert look("load", **NEVER | {f"warning_{minutes}m": 0}).status == "warning"
    assert look("load", **NEVER | {f"critical_{minutes}m": 0}).status == "critical"


def test_load_is_told_for_each_core() -> None:
    found = look("load", **NEVER)
    assert found.metrics["cores"] == os.cpu_count()
    for minutes in (1, 5, 15):
        load = found.metrics[f"load_{minutes}m"]
        assert found.metrics[f"load_per_core_{minutes}m"] == load / os.cpu_count()
        assert f"{load:.2f}" in found.message
