"""Matchers are read and written as Alertmanager does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core import matchers
from tocsin.core.errors import Rejected
from tocsin.core.matchers import Matcher, from_json, match_all, matcher, parse, parse_one, to_json, to_text

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
MATCHERS = st.builds(
    Matcher, TEXT.filter(bool), st.sampled_from(matchers.OPERATORS), st.one_of(TEXT, st.just("a.*|b"))
).filter(lambda found: not found.is_regex or _is_pattern(found.value))


def _is_pattern(value: str) -> bool:
    try:
        matcher("a", "=~", value)
    except Rejected:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", ("a", "=", "b")),
        ("a==x", ("a", "=", "=x")),
        (" a =~ b.* ", ("a", "=~", "b.*")),
        ('a!="b c"', ("a", "!=", "b c")),
        ("a=b c", ("a", "=", "b c")),
        ("a!~b", ("a", "!~", "b")),
        ("a=", ("a", "=", "")),
        ('a=""', ("a", "=", "")),
        (r'a="q\"\\\n"', ("a", "=", 'q"\\\n')),
        (r'a="\d"', ("a", "=", r"\d")),
        ("a=\\", ("a", "=", "\\")),
        ("über=ja", ("über", "=", "ja")),
        ('"a b"="c"', ("a b", "=", "c")),
        (r'"\u00fc"=x', ("ü", "=", "x")),
        ("a-b=c", ("a-b", "=", "c")),
        (r'"\xc3\xbc\303\274"=x', ("üü", "=", "x")),
        ("a=b,", ("a", "=", "b,")),
    ],
)
def test_one(text: str, expected: tuple[str, matchers.Operator, str]) -> None:
    assert parse_one(text) == Matcher(*expected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("bad!", "bad matcher format: bad!"),
        ("", "bad matcher format: "),
        ("{a=b", "unexpected open or close brace"),
        ("a=b}", "unexpected open or close brace"),
        ('a="b', "unescaped double quote"),
        ('a="b\\"', "unescaped double quote"),
        ('a=b"c', "unescaped double quote"),
        ("a=~(", "error parsing regexp"),
        ("a=~(?=b)", "error parsing regexp"),
        ("a=~a)|(b", "error parsing regexp"),
        ('""=x', "bad matcher format"),
        (r'"\xff"=x', "bad matcher format"),
        (r'"\q"=x', "bad matcher format"),
        (r'"\UFFFFFFFF"=x', "bad matcher format"),
        ('"a\nb"=x', "bad matcher format"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_one(text)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("{}", []),
        ("{ }", []),
        ('{a="b",c=~"d,e",}', ["a=b", 'c=~"d,e"']),
        ("a=b, c!=d", ["a=b", "c!=d"]),
        ('{"a.b"="c", d="e"}', ['"a.b"="c"', "d=e"]),
        ("{a=b,}", ["a=b"]),
    ],
)
def test_many(text: str, expected: list[str]) -> None:
    assert parse(text) == [parse_one(one) for one in expected]


@pytest.mark.parametrize("text", ['{"a"=b', '"a"=b}', ",", "{,}", '"a"=b,,"c"=d', '"a"', '"a"=', '{"a"=b}c'])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(Rejected):
        parse(text)


def test_where_both_grammars_read_a_text_differently_the_classic_one_wins() -> None:
    text = r'a="\t"'
    assert matchers.parse_utf8(text)[0].value == "\t"
    assert parse_one(text).value == r"\t"


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("a=b", {"a": "b"}, True),
        ("a=b", {}, False),
        ("a=", {}, True),
        ("a!=b", {}, True),
        ("a!=", {}, False),
        ("a=~b", {"a": "xbx"}, False),
        ("a=~b|c", {"a": "c"}, True),
        ("a=~b|c", {"a": "bc"}, False),
        ("a=~.*", {}, True),
        ("a=~.+", {}, False),
        ("a=~b", {"a": "b\n"}, False),
        ("a=~.*", {"a": "b\nc"}, False),
        ("a=~(?i)B", {"a": "b"}, True),
        ("a!~b.*", {"a": "bcd"}, False),
        ("a!~b.*", {"a": "abcd"}, True),
        ("a=~ü+", {"a": "üü"}, True),
    ],
)
def test_matching(text: str, labels: dict[str, str], matches: bool) -> None:
    assert parse_one(text).matches(labels) is matches


def test_all_must_match_and_none_match_all() -> None:
    both = parse("a=b,c=d")
    assert match_all(both, {"a": "b", "c": "d"})
    assert not match_all(both, {"a": "b"})
    assert match_all([], {})


@given(MATCHERS)
def test_what_is_written_is_read_again(found: Matcher) -> None:
    assert parse_one(str(found)) == found
    assert from_json(to_json(found)) == found


@given(st.lists(MATCHERS, max_size=5))
def test_lists_too(found: list[Matcher]) -> None:
    assert parse(to_text(found)) == found


@given(st.one_of(st.text(), st.text(alphabet='ab{}=!~",\\ \n')))
def test_any_text_is_matchers_or_a_refusal(text: str) -> None:
    for read in (parse, parse_one, matchers.parse_classic, matchers.parse_utf8):
        try:
            read(text)
        except Rejected as refused:
            assert str(refused)


def test_the_api_shape_may_leave_out_that_it_is_equal() -> None:
    assert from_json({"name": "a", "value": "b", "isRegex": False}) == Matcher("a", "=", "b")
    assert from_json({"name": "a", "value": "b", "isRegex": True, "isEqual": False}) == Matcher(
        "a", "!~", "b"
    )
    assert to_json(Matcher("a", "!=", "b")) == {
        "name": "a", "value": "b", "isRegex": False, "isEqual": False
    }  # fmt: skip


def test_a_matcher_needs_a_name_and_a_known_operator() -> None:
    for name, operator in (("", "="), ("a", "==")):
        with pytest.raises(Rejected):
            matcher(name, operator, "b")
