"""Memory of the machine the tests run on."""

from tests.checkers.looking import look


def test_what_is_available_is_a_part_of_all() -> None:
    found = look("memory", warning=101, critical=101)
    assert 0 < found.metrics["available_bytes"] <= found.metrics["total_bytes"]
    assert found.status == "ok"
    assert found.message.endswith("GiB available")
