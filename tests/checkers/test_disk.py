"""Disks: small file systems in memory that are really full."""

from pathlib import Path

import psutil

from tests.checkers.looking import apart, look


def test_a_full_file_system_is_told_with_what_is_left(tmp_path: Path) -> None:
    arrange = f"mount -t tmpfs -o size=1m full {tmp_path}; head -c 983040 /dev/zero >{tmp_path}/data"
    with apart(arrange, "disk", paths=[str(tmp_path)]) as there:
        found = there.look()
    assert found.status == "warning"
    assert found.message == f"{tmp_path} is 94 % full, 0.1 MiB free"
    assert found.metrics[f"used_percent[{tmp_path}]"] == 93.8
    assert found.metrics[f"free_bytes[{tmp_path}]"] == 65_536
    assert found.metrics[f"total_bytes[{tmp_path}]"] == 2**20


def test_a_file_system_without_inodes_left_is_critical(tmp_path: Path) -> None:
    arrange = f"""mount -t tmpfs -o size=1m,nr_inodes=20 many {tmp_path}
    for number in $(seq 30); do : >{tmp_path}/$number || break; done 2>/dev/null"""
    with apart(arrange, "disk", paths=["/", str(tmp_path)], warning=101, critical=101) as there:
        found = there.look()
    assert found.status == "critical"
    assert found.message == f"{tmp_path} has 100 % of its inodes used"
    assert found.metrics[f"inodes_used_percent[{tmp_path}]"] == 100
    assert found.metrics[f"used_percent[{tmp_path}]"] == 0


def test_it_grows_worse_and_better_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with apart(f"mount -t tmpfs -o size=1m full {kept}", "disk", paths=[str(kept)]) as there:
        assert there.look().status == "ok"
        inside = Path(f"/proc/{there.pid}/root{kept}/data")
        inside.write_bytes(bytes(1 << 20))
        assert there.look().status == "critical"
        inside.unlink()
        assert there.look().status == "ok"


def test_a_path_that_is_not_there_is_unknown_and_the_others_count() -> None:
    found = look(
        "disk",
        paths=["/no/such/place", "/"],
        warning=101,
        critical=101,
        inodes_warning=101,
        inodes_critical=101,
    )
    assert (found.status, found.message) == ("unknown", "/no/such/place: no such file or directory")
    assert "used_percent[/]" in found.metrics
    assert look("disk", paths=["/no/such/place", "/"], warning=0, critical=0).status == "critical"


def test_all_local_file_systems_once_each() -> None:
    found = look("disk", paths=[], all_local=True, exclude_types=[])
    paths = {name[13:-1] for name in found.metrics if name.startswith("used_percent[")}
    local = psutil.disk_partitions(all=False)
    assert paths <= {part.mountpoint for part in local}
    assert len(paths) == len({part.device for part in local})


def test_types_and_paths_are_left_out() -> None:
    types = sorted({part.fstype for part in psutil.disk_partitions(all=False)})
    for out in ({"exclude_types": types}, {"exclude_paths": ["/*"]}):
        found = look("disk", paths=[], all_local=True, **out)
        assert (found.status, found.message, found.metrics) == ("ok", "no file system is looked at", {})
