"""YAML whose values know their lines, from whoever wrote it."""

import pytest

from tocsin.notify.routing import lines
from tocsin.notify.routing.lines import Unsound

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def test_values_know_where_they_stand() -> None:
    root = lines.read("a: 1\nb:\n  - c: yes\n  - [x,\n     y]\nd:\ne: ~\n")
    assert root.plain() == {"a": "1", "b": [{"c": "yes"}, ["x", "y"]], "d": None, "e": None}
    found, further = root.nearest(("b", 1, 1))
    assert (found.line, found.path, further) == (5, "b[1][1]", ())
    found, further = root.nearest(("b", 0, "x", 3))
    assert (found.line, found.path, further) == (3, "b[0]", ("x", 3))
    assert (root.get("d"), root.get("a"), root.text("b")) == (None, root.fields()["a"], "")


def test_aliases_and_merges() -> None:
    root = lines.read("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\ne: {<<: [{f: 1}, *x], b: 4}\n")
    assert root.fields()["d"].plain() == {"b": "3", "c": "2"}
    assert root.fields()["e"].plain() == {"f": "1", "b": "4", "c": "2"}


def test_nothing_is_a_document_too() -> None:
    assert lines.read("").value is None
    assert lines.read("# nothing\n").value is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "line 2: 'a' stands here twice"),
        ("a:\n  b: *x\n", "line 2: not YAML: found undefined alias"),
        ("? [a]\n: 1\n", "line 1: a name must be a text"),
        ("a: {<<: 5}\n", "line 1: a: << takes a mapping"),
        ("a: 1\n--- \nb: 2\n", "not YAML"),
        ("a: \x00", "not YAML"),
        (b"a: \xff\xfe", "not YAML"),
        ("a: !!python/object/apply:os.system [ls]\nb: [", "not YAML"),
        ("[" * 100_000, "nested deeper than 60 levels"),
        ("a: &a [*a]\n", "more than 100,000 values"),
        (BOMB, "more than 100,000 values"),
        ("x" * (lines.MAX_BYTES + 1), "larger than"),
    ],
    ids=range(12),
)
def test_what_cannot_be_read(text: str | bytes, said: str) -> None:
    with pytest.raises(Unsound) as error:
        lines.read(text)
    assert said in str(error.value)


def test_no_tag_makes_anything_but_text() -> None:
    assert lines.read("a: !!python/name:os.system x\n").plain() == {"a": "x"}
