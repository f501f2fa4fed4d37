"""Temperatures, as the kernel's files in /sys/class tell of them."""

from pathlib import Path

from tests.checkers.looking import apart

ARRANGE = "mount --bind {0} /sys/class"


def sensor(folder: Path, number: int, name: str, label: str, degrees: float) -> None:
    chip = folder / "hwmon" / f"hwmon{number}"
    chip.mkdir(parents=True)
    (chip / "name").write_text(f"{name}\n")
    (chip / "temp1_label").write_text(f"{label}\n")
    (chip / "temp1_input").write_text(f"{degrees * 1000:.0f}\n")


def test_the_hottest_sensor_decides(tmp_path: Path) -> None:
    sensor(tmp_path, 0, "coretemp", "Core 0", 62)
    sensor(tmp_path, 1, "nvme", "Composite", 81)
    sensor(tmp_path, 2, "w83627", "AUXTIN", -128)
    with apart(ARRANGE.format(tmp_path), "temperature") as there:
        found = there.look()
        assert (found.status, found.message) == ("warning", "nvme Composite is at 81 °C, the hottest of 2")
        assert found.metrics == {"sensors": 2, "celsius[coretemp Core 0]": 62, "celsius[nvme Composite]": 81}
        (tmp_path / "hwmon/hwmon0/temp1_input").write_text("99000\n")
        assert there.look().status == "critical"


def test_thermal_zones_count_where_there_is_nothing_better(tmp_path: Path) -> None:
    zone = tmp_path / "thermal" / "thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("x86_pkg_temp\n")
    (zone / "temp").write_text("45000\n")
    with apart(ARRANGE.format(tmp_path), "temperature") as there:
        found = there.look()
    assert (found.status, found.metrics["celsius[x86_pkg_temp]"]) == ("ok", 45)


def test_a_machine_without_sensors_is_well(tmp_path: Path) -> None:
    with apart(ARRANGE.format(tmp_path), "temperature") as there:
        found = there.look()
    assert (found.status, found.message) == ("ok", "there is no temperature sensor")
