"""Templates are sandboxed: they read what they are given and nothing else."""

import pytest
from jinja2.exceptions import SecurityError, UndefinedError

from tocsin.core.errors import Rejected
from tocsin.core.templates import environment, render_text

PACKAGE = "tocsin.notify.drivers.email"


def _render(source: str, html: bool = False, **values: object) -> str:
    return environment(PACKAGE, html).from_string(source).render(**values)


@pytest.mark.parametrize(
    "source",
    [
        "{{ x.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ x['__class__'].__base__ }}",
        "{{ x|attr('__class__')|attr('__init__') }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ x.append(1) }}",
        "{{ d.update(a=1) }}",
        "{{ f.__globals__ }}",
        "{{ range(10000000) }}",
    ],
)
def test_nothing_leads_out_or_changes_what_was_given(source: str) -> None:
    given: list[int] = []
    with pytest.raises((SecurityError, UndefinedError, OverflowError)):
        _render(source, x=given, d={}, f=_render)
    assert given == []


def test_what_is_missing_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(UndefinedError):
        _render("{{ nothing }}")


def test_values_are_escaped_in_html_alone() -> None:
    assert _render("{{ x }}", html=True, x="<b>&") == "&lt;b&gt;&amp;"
    assert _render("{{ x }}", x="<b>&") == "<b>&"


def test_values_are_no_templates() -> None:
    assert _render("{{ x }}", x="{{ 7 * 7 }}") == "{{ 7 * 7 }}"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}",
            "more than 20,000 turns",
        ),
        ("{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}", "turns"),
        ("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "macros are not taken"),
        ("{% for a in x recursive %}{{ loop(x) }}{% endfor %}", "recursive loops are not taken"),
    ],
)
def test_one_that_would_take_for_ever_ends(source: str, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        render_text(source, {"x": ["y"] * 100})


def test_loops_are_as_they_were() -> None:
    shown = "{{ loop.index }}/{{ loop.length }}={{ n }}{{ ' ' if not loop.last }}"
    source = f"{{% for n in x %}}{shown}{{% else %}}none{{% endfor %}}"
    assert render_text(source, {"x": ["a", "b"]}) == "1/2=a 2/2=b"
    assert render_text(source, {"x": []}) == "none"
    for _ in range(3):
        assert render_text("{% for n in range(900) %}{% endfor %}ok", {}) == "ok"
