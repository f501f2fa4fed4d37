"""Swap, as the kernel's files tell of it: a test may not take a machine's own."""

from pathlib import Path

from tests.checkers.looking import apart

MEMINFO = "MemTotal: 8000000 kB\nMemFree: 1000000 kB\nSwapTotal: {total} kB\nSwapFree: {free} kB\n"
VMSTAT = "pswpin {pages_in}\npswpout {pages_out}\n"
ARRANGE = "mount --bind {0}/meminfo /proc/meminfo; mount --bind {0}/vmstat /proc/vmstat"


def tell(folder: Path, total: int = 2**20, free: int = 2**20, pages_in: int = 0, pages_out: int = 0) -> str:
    (folder / "meminfo").write_text(MEMINFO.format(total=total, free=free))
    (folder / "vmstat").write_text(VMSTAT.format(pages_in=pages_in, pages_out=pages_out))
    return ARRANGE.format(folder)


def test_a_machine_without_swap_is_well(tmp_path: Path) -> None:
    with apart(tell(tmp_path, total=0, free=0), "swap") as there:
        found = there.look()
    assert (found.status, found.message) == ("ok", "there is no swap")


def test_swap_that_fills_up(tmp_path: Path) -> None:
    with apart(tell(tmp_path, free=2**18), "swap", warning=75, critical=95) as there:
        found = there.look()
        assert (found.status, found.message) == ("warning", "75 % used, 0.2 GiB free")
        assert found.metrics == {
            "used_percent": 75.0,
            "free_bytes": 2**28,
            "total_bytes": 2**30,
        }
        tell(tmp_path, free=0)
        assert there.look().status == "critical"


def test_a_machine_that_swaps_busily(tmp_path: Path) -> None:
    with apart(tell(tmp_path), "swap") as there:
        assert "pages_in_per_second" not in there.look().metrics, "one look knows no rate"
        tell(tmp_path, pages_in=10**9, pages_out=10**9)
        found = there.look()
        assert found.status == "critical"
        assert "pages/s in" in found.message
        assert found.metrics["pages_in_per_second"] > 10_000
        assert there.look().status == "ok", "nothing was moved since"
