"""The checkers of systemd's units and of its journal, inside a systemd of the tests' own."""

from collections.abc import Iterator

import pytest

from tests.real.systemd import Systemd, systemd

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    with systemd(tmp_path_factory.mktemp("systemd")) as booted:
        yield booted


@pytest.fixture(autouse=True)
def nothing_failed(box: Systemd) -> None:
    box.do("systemctl", "reset-failed")


def test_a_unit_that_fails_and_is_mended(box: Systemd) -> None:
    box.unit("shop-broken.service", "/bin/false", "Type=oneshot")
    with box.looking("systemd") as there:
        found = there.look()
        assert (found.status, found.message) == ("ok", "no unit has failed")
        box.do("systemctl", "start", "shop-broken.service", check=False)
        found = there.look()
        assert (found.status, found.message) == ("warning", "shop-broken.service failed")
        assert found.metrics["failed_units"] == 1
        box.do("systemctl", "reset-failed")
        assert there.look().status == "ok"


def test_a_failed_unit_may_count_more_or_not_at_all(box: Systemd) -> None:
    box.unit("shop-job.service", "/bin/false", "Type=oneshot")
    box.do("systemctl", "start", "shop-job.service", check=False)
    with box.looking("systemd", failed="critical") as there:
        assert there.look().status == "critical"
    with box.looking("systemd", ignore=["shop-*.service"]) as there:
        assert there.look().status == "ok"


def test_units_that_must_be_active(box: Systemd) -> None:
    box.unit("shop-web.service", "/bin/sleep 600")
    with box.looking("systemd", units=["shop-web.service", "systemd-journald.service"]) as there:
        found = there.look()
        assert (found.status, found.message) == ("critical", "shop-web.service is inactive")
        box.do("systemctl", "start", "shop-web.service")
        found = there.look()
        assert (found.status, found.message) == ("ok", "no unit has failed, and all are active that must be")
        box.do("systemctl", "stop", "shop-web.service")
        assert there.look().status == "critical"


def test_a_unit_that_must_be_active_and_failed_is_critical(box: Systemd) -> None:
    box.unit("shop-db.service", "/bin/false", "Type=oneshot")
    box.do("systemctl", "start", "shop-db.service", check=False)
    with box.looking("systemd", units=["shop-db.service"]) as there:
        found = there.look()
    assert (found.status, found.message) == ("critical", "shop-db.service failed")


def test_a_unit_that_is_not_there(box: Systemd) -> None:
    with box.looking("systemd", units=["no-such.service"]) as there:
        found = there.look()
    assert (found.status, found.message) == ("critical", "there is no unit no-such.service")


def test_an_alias_is_the_unit_it_stands_for(box: Systemd) -> None:
    box.unit("shop-api.service", "/bin/sleep 600")
    box.do("ln", "--symbolic", "shop-api.service", "/etc/systemd/system/shop-alias.service")
    box.do("systemctl", "daemon-reload")
    box.do("systemctl", "start", "shop-api.service")
    with box.looking("systemd", units=["shop-alias.service", "shop-api.service"]) as there:
        assert there.look().status == "ok"
        box.do("systemctl", "stop", "shop-api.service")
        found = there.look()
    assert found.message == "shop-alias.service is inactive; shop-api.service is inactive"


def test_a_unit_that_starts_again_and_again(box: Systemd) -> None:
    box.unit("shop-loop.service", "/bin/false", "Restart=always", "RestartSec=100ms")
    with box.looking("systemd", units=["shop-loop.service"], restarts=3) as there:
        box.do("systemctl", "start", "shop-loop.service")
        there.look()
        restarts = "systemctl show --property=NRestarts --value shop-loop.service"
        box.do(
            "bash", "-euc", f"began=$({restarts}); until (( $({restarts}) >= began + 4 )); do sleep 0.1; done"
        )
        found = there.look()
        box.do("systemctl", "stop", "shop-loop.service")
    assert found.status in ("warning", "critical")
    assert "shop-loop.service was restarted" in found.message
    assert found.metrics["restarts[shop-loop.service]"] >= 4


def test_a_unit_that_waits_for_its_next_start_is_watched_without_being_named(box: Systemd) -> None:
    box.unit("shop-slow.service", "/bin/false", "Restart=always", "RestartSec=600")
    with box.looking("systemd") as there:
        box.do("systemctl", "start", "shop-slow.service", check=False)
        box.wait("bash", "-c", "systemctl show --property=SubState shop-slow.service | grep -q auto-restart")
        found = there.look()
        box.do("systemctl", "stop", "shop-slow.service")
    assert found.metrics["restarting_units"] == 1
    assert "restarts[shop-slow.service]" in found.metrics


def test_lines_since_the_last_look(box: Systemd) -> None:
    options = {"patterns": ["(?i)out of memory", "refused"], "lookback": 0, "critical": 3}
    with box.looking("journal", **options) as there:
        box.log("err", "it was before the first look")
        there.look()
        assert there.look().metrics["lines"] == 0
        box.log("err", "Out of memory: killed 4711")
        box.log("err", "all is fine, though an error")
        box.log("info", "connection refused, but that is only said")
        found = there.look()
        assert found.status == "warning"
        assert found.message == "1 of 2 new lines match, the last by shop: Out of memory: killed 4711"
        assert found.metrics == {
            "lines": 2,
            "matching_lines": 1,
            "matching_lines[(?i)out of memory]": 1,
            "matching_lines[refused]": 0,
        }
        assert there.look().status == "ok", "they are told once"
        for number in range(3):
            box.log("crit", f"refused {number}")
        assert there.look().status == "critical"


def test_the_first_look_goes_back_a_while(box: Systemd) -> None:
    box.log("err", "a line of the minutes before", identifier="before")
    with box.looking("journal", patterns=["of the minutes before"]) as there:
        assert there.look().metrics["matching_lines"] == 1
        assert there.look().metrics["matching_lines"] == 0


def test_how_far_it_has_read_outlasts_the_process(box: Systemd) -> None:
    options = {"patterns": ["outlasting"], "cursor_file": "/run/journal.cursor"}
    box.log("err", "outlasting 1")
    with box.looking("journal", **options) as there:
        assert there.look().status == "warning"
    with box.looking("journal", **options) as there:
        assert there.look().status == "ok"
        box.log("err", "outlasting 2")
    with box.looking("journal", **options) as there:
        assert there.look().metrics["matching_lines"] == 1
    box.do("tee", "/run/journal.cursor", told="nonsense")
    with box.looking("journal", **options) as there:
        found = there.look()
    assert found.metrics["matching_lines"] == 2, "a cursor that is none begins anew"


def test_priorities_and_units(box: Systemd) -> None:
    box.unit("shop-talks.service", "/bin/echo the unit itself says this", "Type=oneshot")
    box.do("systemctl", "start", "shop-talks.service")
    box.log("warning", "another says this")
    options = {"patterns": ["says this"], "priority": "info"}
    with box.looking("journal", **options) as there:
        assert there.look().metrics["matching_lines"] == 2
    with box.looking("journal", **options, units=["shop-talks.service"]) as there:
        found = there.look()
        assert found.metrics["matching_lines"] == 1
        assert found.message.endswith("the last by echo: the unit itself says this")


def test_bytes_that_are_no_text(box: Systemd) -> None:
    with box.looking("journal", patterns=["broken .* pipe"]) as there:
        box.do("bash", "-c", r"printf 'a broken \377\001 pipe\n' | systemd-cat -p err -t bytes")
        box.wait("bash", "-c", "journalctl -q -t bytes | grep -q .")
        assert there.look().metrics["matching_lines"] == 1
