"""Files with a time and a size of the test's own."""

import os
import time
from pathlib import Path

import pytest

from tests.checkers.looking import checker, look
from tocsin.core.errors import Misconfigured

HOUR = 3_600


def file(folder: Path, name: str, age: float, size: int = 10) -> Path:
    path = folder / name
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize(("hours", "status"), [(3, "ok"), (27, "warning"), (47, "warning")])
def test_a_file_grows_old(hours: float, status: str, tmp_path: Path) -> None:
    path = file(tmp_path, "dump", hours * HOUR)
    found = look("file_age", paths=[str(path)])
    assert found.status == status
    assert found.metrics["files"] == 1
    assert found.metrics[f"size_bytes[{path}]"] == 10
    assert hours * HOUR <= found.metrics[f"age_seconds[{path}]"] < hours * HOUR + 600
    assert found.message == f"{path} is {hours} h old"


def test_of_a_pattern_the_newest_counts(tmp_path: Path) -> None:
    for night in range(5):
        file(tmp_path, f"{night}.gz", night * 24 * HOUR + 60)
    pattern = str(tmp_path / "*.gz")
    found = look("file_age", paths=[pattern])
    assert (found.status, found.message) == ("ok", f"{tmp_path}/0.gz is 60 s old")
    every = look("file_age", paths=[pattern], every=True)
    assert every.status == "critical"
    assert every.metrics["files"] == 5
    fresh = look("file_age", paths=[pattern], every=True, warning=1e9, critical=1e9)
    assert fresh.message == f"{tmp_path}/4.gz is 4 days old, the oldest of 5 files"
    assert f"{tmp_path}/4.gz is 4 days old" in every.message


@pytest.mark.parametrize("missing", ["ok", "warning", "critical"])
def test_what_is_missing_is_what_one_says_it_is(missing: str, tmp_path: Path) -> None:
    for name in ("dump", "*.gz"):
        found = look("file_age", paths=[str(tmp_path / name)], missing=missing)
        assert found.status == missing
        assert f"{tmp_path / name} is missing" in found.message or missing == "ok"


def test_a_file_that_is_too_small(tmp_path: Path) -> None:
    path = file(tmp_path, "dump", 0, size=99)
    found = look("file_age", paths=[str(path)], min_bytes=100)
    assert (found.status, found.message) == ("critical", f"{path} has 99 bytes, fewer than 100")
    assert look("file_age", paths=[str(path)], min_bytes=99).status == "ok"


def test_a_name_that_looks_like_a_pattern_is_a_name_where_it_is_there(tmp_path: Path) -> None:
    path = file(tmp_path, "dump[1]", 0)
    assert look("file_age", paths=[str(path)]).status == "ok"


def test_a_link_to_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(tmp_path / "gone")
    assert look("file_age", paths=[str(tmp_path / "latest")]).status == "critical"


def test_it_wants_paths() -> None:
    with pytest.raises(Misconfigured, match="paths"):
        checker("file_age")
