"""Payloads as plain values, whatever they were written in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerts import document
from tocsin.alerts.document import Part
from tocsin.core.errors import Rejected


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' {"a": 1}', {"a": 1}),
        (b"[1]", [1]),
        (b'"{\\"a\\": 2}"', {"a": 2}),
        (b"a=b&c=d+e%20f&g=", {"a": "b", "c": "d e f", "g": ""}),
        (b"payload=%7B%22a%22%3A+3%7D", {"a": 3}),
        (b'payload={"a": 3}', {"a": 3}),
        (
            b'<?xml version="1.0"?><a x="1"><b>t</b><c/><c>u</c></a>',
            {"a": {"@x": "1", "b": "t", "c": ["", "u"]}},
        ),
        (b'<s:a xmlns:s="urn:s"><s:b><![CDATA[<&>]]></s:b></s:a>', {"a": {"b": "<&>"}}),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>'.encode("latin-1"), {"a": "ü"}),
    ],
)
def test_what_senders_write(body: bytes, value: object) -> None:
    assert document.read(body) == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "neither JSON"),
        (b"{", "not JSON"),
        (b"hello", "neither JSON, XML nor a form"),
        (b"\xff=\xff", "neither"),
        (b'"text"', "a JSON string that holds no JSON"),
        (b"payload={", "holds no JSON"),
        (b"<a", "not XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "XML that is not taken"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "XML that is not taken"),
        (b"<a>" * 100 + b"</a>" * 100, "nested more than 64 deep"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_nobody_can_read(body: bytes, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        document.read(body)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_body_gives_a_value_or_a_refusal(body: bytes) -> None:
    try:
        document.read(body)
    except Rejected as error:
        assert str(error)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_a_part_takes_whatever_is_there(value: Any) -> None:
    part = Part(value)
    for name in ("a", "a.b", "a.b.c", "", "."):
        assert part.text(name) == part.text(name).strip()
        assert all(isinstance(told, str) for told in part.pairs(name).values())
        part.part(name).get("x")
        try:
            part.moment(name)
        except Rejected as error:
            assert str(error).startswith(name)


def test_a_part_leads_inwards() -> None:
    part = Part({"a": {"b": [{"c": 1}, 2, {"c": None}]}, "d.e": "flat", "t": True})
    assert [inner.text("c") for inner in part.parts("a.b")] == ["1", ""]
    assert part.text("d.e") == "flat"
    assert part.text("none", "t") == "true"
    with pytest.raises(Rejected, match=r"a\.b\[2\]\.c: expected a text"):
        [inner.need("c") for inner in part.part("a").parts("b")][0]


def test_forms_and_xml_that_would_take_long_are_not_read() -> None:
    for body in (b"<a>" * 200_000, b"a=" + b"%" * 600_000, b"a" * 600_000 + b"=1"):
        with pytest.raises(Rejected):
            document.read(body)
    assert document.read(b"<a>" + b"x" * 400_000 + b"</a>") == {"a": "x" * 400_000}
