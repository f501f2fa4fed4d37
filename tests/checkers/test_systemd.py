"""Machines where systemd does not run; where it does, tests/real/test_systemd.py looks."""

from tests.checkers.looking import apart

WITHOUT = "mount -t tmpfs none /run"


def test_a_machine_without_systemd_is_well() -> None:
    with apart(WITHOUT, "systemd") as there:
        found = there.look()
    assert (found.status, found.message) == ("ok", "systemd does not run here")


def test_units_that_must_be_active_are_not_without_systemd() -> None:
    with apart(WITHOUT, "systemd", units=["ssh.service"]) as there:
        assert there.look().status == "critical"
