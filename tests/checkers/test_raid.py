"""Arrays as /proc/mdstat tells of them, and pools as ``zpool status -x`` does."""

from pathlib import Path

import pytest

from tests.checkers.looking import look, program
from tocsin.checkers import outside
from tocsin.checkers.checks.raid import arrays, pools

FIXTURES = Path(__file__).parent.parent / "fixtures"
MDSTAT = FIXTURES / "mdstat"

DEGRADED_POOL = (FIXTURES / "zpool" / "degraded.txt").read_text()
ERRORS_POOL = (FIXTURES / "zpool" / "errors.txt").read_text()


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("healthy", "ok", "every array is whole"),
        ("degraded", "critical", "md0 (raid1) runs on 1 of 2 disks (sdb1 failed)"),
        ("rebuilding", "warning", "md127 (raid5) runs on 2 of 3 disks (sdc1 failed), recovery at 13 %"),
        (
            "failed",
            "critical",
            "md3 is not running (sdb1, sda1 failed); md4 (raid5) runs on 1 of 3 disks (sdf1, sde1 failed)",
        ),
        ("checking", "warning", "md1: resync at 0 %"),
    ],
)
def test_arrays_are_told(name: str, status: str, message: str, no_zfs: None) -> None:
    found = look("raid", mdstat=str(MDSTAT / f"{name}.txt"))
    assert (found.status, found.message) == (status, message)


def test_disks_are_counted(no_zfs: None) -> None:
    assert look("raid", mdstat=str(MDSTAT / "rebuilding.txt")).metrics == {
        "arrays": 1,
        "working_disks[md127]": 2,
        "wanted_disks[md127]": 3,
    }


def test_a_look_through_a_whole_array_is_no_trouble() -> None:
    found = {array.name: array.finding()[0] for array in arrays((MDSTAT / "checking.txt").read_text())}
    assert found == {"md0": "ok", "md1": "warning", "md126": "ok"}


def test_an_array_that_nobody_has_written_to_yet_is_well() -> None:
    found = {array.name: array.finding()[0] for array in arrays((MDSTAT / "degraded.txt").read_text())}
    assert found["md1"] == "ok"


@pytest.mark.parametrize("text", ["", "Personalities : \nunused devices: <none>\n"])
def test_a_machine_without_arrays_is_well(text: str, tmp_path: Path, no_zfs: None) -> None:
    (tmp_path / "mdstat").write_text(text)
    for path in (tmp_path / "mdstat", tmp_path / "nothing"):
        found = look("raid", mdstat=str(path))
        assert (found.status, found.message) == ("ok", "there is no RAID array")


def test_pools_that_are_not_well() -> None:
    assert pools("all pools are healthy\n") == []
    assert pools("no pools available\n") == []
    assert pools(DEGRADED_POOL + "\n" + ERRORS_POOL) == [
        (
            "critical",
            "ZFS pool tank is degraded: One or more devices could not be used because the label is missing "
            "or invalid",
        ),
        ("warning", "ZFS pool home is online: One or more devices has experienced an unrecoverable error"),
    ]


def test_zpool_is_asked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "zpool", f"cat <<'END'\n{DEGRADED_POOL}END")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = look("raid", mdstat=str(MDSTAT / "healthy.txt"))
    assert found.status == "critical"
    program(tmp_path, "zpool", "echo all pools are healthy")
    assert look("raid", mdstat=str(MDSTAT / "healthy.txt")).message == "every array is whole, ZFS is healthy"
    program(tmp_path, "zpool", "echo 'The ZFS modules are not loaded.' >&2; exit 1")
    assert look("raid", mdstat=str(MDSTAT / "healthy.txt")).message == "every array is whole"
    program(tmp_path, "zpool", "echo 'Permission denied the ZFS utilities must be run as root.' >&2; exit 1")
    with pytest.raises(RuntimeError, match="must be run as root"):
        look("raid", mdstat=str(MDSTAT / "healthy.txt"))


@pytest.fixture
def no_zfs() -> None:
    if outside.program("zpool"):
        pytest.skip("this machine has pools of its own")
