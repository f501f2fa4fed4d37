"""A fingerprint is equal to Prometheus' and Alertmanager's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.labels import Fingerprints, describe, fingerprint, with_name

LABELS = st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=8)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "cbf29ce484222325"),
        ({"foo": "bar"}, "3fff2c2d7595e046"),
        (
            {
                "alertname": "InstanceDown",
                "group": "production",
                "instance": "localhost:8081",
                "job": "node",
                "severity": "critical",
            },
            "f404ecabc8dd5cd7",
        ),
    ],
)
def test_published_values(labels: dict[str, str], expected: str) -> None:
    assert fingerprint(labels) == expected


def naive(labels: dict[str, str]) -> str:
    """FNV-1a 64 as it is written down: one byte after the other."""
    digest = 14695981039346656037
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            digest = (digest ^ byte) * 1099511628211 % 2**64
    return f"{digest:016x}"


@given(LABELS)
def test_it_is_fnv_1a_over_the_sorted_labels(labels: dict[str, str]) -> None:
    assert fingerprint(labels) == naive(labels)
    assert fingerprint(labels) == naive(labels), "also when its steps are remembered"


@given(LABELS)
def test_the_order_of_labels_does_not_matter(labels: dict[str, str]) -> None:
    assert fingerprint(dict(reversed(labels.items()))) == fingerprint(labels)


def test_label_sets_seen_lately_are_known() -> None:
    known = Fingerprints(size=2)
    first = {"a": "1"}
    assert known.of(first) == (naive(first), False)
    assert known.of(first) == (naive(first), True)
    for value in ("2", "3", "4"):
        known.of({"a": value})
    assert known.of(first) == (naive(first), False), "forgotten, as little is kept"


def test_labels_are_described_as_people_write_them() -> None:
    assert describe({"b": "2", "a": "1", "c": ""}, ["a", "b", "c", "d"]) == 'a="1", b="2"'


def test_a_name_stands_in_for_a_missing_alertname() -> None:
    assert with_name({"a": "b"}, "Down") == {"a": "b", "alertname": "Down"}
    assert with_name({"alertname": "Up"}, "Down") == {"alertname": "Up"}
    assert with_name({}, "") == {}
