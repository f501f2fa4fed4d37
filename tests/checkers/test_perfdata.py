"""Performance data as the plug-ins' guidelines have it, and as plug-ins print it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.checkers.perfdata import Datum, metrics, read


def test_a_line_and_its_data() -> None:
    found = read("DISK OK - free space: / 77 GB | /=2643MB;5948;5958;0;5968 'my disk'=1%;80;90\n")
    assert found.line == "DISK OK - free space: / 77 GB"
    assert found.data == (
        Datum("/", 2643, "MB", "5948", "5958", "0", "5968"),
        Datum("my disk", 1, "%", "80", "90"),
    )


def test_many_lines_with_data_of_both_kinds() -> None:
    output = (
        "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\n"
        "/ 15272 MB (77%);\n"
        "/boot 68 MB (69%);\n"
        "/var/log 819 MB (84%); | /boot=68MB;88;93;0;98\n"
        "/home=69357MB;253404;253409;0;253414\n"
        "/var/log=818MB;970;975;0;980\n"
    )
    found = read(output)
    assert found.line == "DISK OK - free space: / 3326 MB (56%);"
    assert [datum.label for datum in found.data] == ["/", "/boot", "/home", "/var/log"]


@pytest.mark.parametrize(("text", "expected"), [
    ("time=0.5s", {"time_seconds": 0.5}),
    ("time=20ms", {"time_seconds": 0.02}),
    ("time=20us", {"time_seconds": 2e-5}),
    ("size=2KB", {"size_bytes": 2048}),
    ("size=1GiB", {"size_bytes": 2**30}),
    ("used=12.5%", {"used_percent": 12.5}),
    ("hits=7c", {"hits_total": 7}),
    ("load1=0.31;5;10;0;", {"load1": 0.31}),
    ("temperature=-4.5C", {"temperature_C": -4.5}),
    ("/var=1B", {"value_bytes[/var]": 1}),
    ("'C:\\ used'=1%", {"value_percent[C:\\ used]": 1}),
    ("'it''s'=3", {"value[it's]": 3}),
    ("time=0,5s", {"time_seconds": 0.5}),
    ("x=1e3", {"x": 1000}),
    ("a=1 b=2  c=3", {"a": 1, "b": 2, "c": 3}),
    ("load=U", {}),
    ("a=nan b=inf c= =3 d", {}),
    ("nothing here", {}),
    ("", {}),
])  # fmt: skip
def test_metrics_end_in_their_unit(text: str, expected: dict[str, float]) -> None:
    assert metrics(read(f"OK|{text}").data) == pytest.approx(expected)


@settings(deadline=None)
@given(st.text())
def test_whatever_is_printed_is_read(output: str) -> None:
    found = read(output)
    assert "\n" not in found.line
    metrics(found.data)


@settings(deadline=None)
@given(st.lists(st.tuples(
    st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True), st.floats(-1e9, 1e9).map(lambda v: round(v, 3)),
    st.sampled_from(["", "%", "B"]),
), unique_by=lambda datum: datum[0]))  # fmt: skip
def test_what_is_written_is_read(told: list[tuple[str, float, str]]) -> None:
    found = read("OK|" + " ".join(f"{label}={value}{unit};1:;~:2;0" for label, value, unit in told))
    assert [(datum.label, datum.value, datum.unit) for datum in found.data] == told
