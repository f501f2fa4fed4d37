"""Sandboxed Jinja2: no attribute with an underscore, nothing that can be changed. For the templates beside
our plug-ins, and for those that people write, which are bounded too."""

from collections.abc import Container, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from traceback import walk_tb
from typing import Annotated, Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.loaders import PackageLoader
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator, SecretStr

from tocsin.core.errors import Rejected

LONGEST_TEMPLATE: Final = 20_000
LONGEST_TEXT: Final = 64 * 1024
MOST_TURNS: Final = 1_000
MOST_TURNS_IN_ALL: Final = 20_000
_turns: ContextVar[list[int]] = ContextVar("turns")


@cache
def environment(package: str, html: bool) -> ImmutableSandboxedEnvironment:
    """The templates that lie beside a plug-in; with ``html`` every value is escaped."""
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader(package, "."),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(package: str, name: str, **values: object) -> str:
    """Render ``name`` of a plug-in's folder; files ending in .html are escaped."""
    return environment(package, name.endswith(".html")).get_template(name).render(**values)


class _Bounded(ImmutableSandboxedEnvironment):
    """For templates that people write: texts and lists are not multiplied, ranges are short, and loops, also
    those within others, end after so many turns in all."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all((nodes.Macro, nodes.CallBlock)):  # one that calls itself might never end
            raise TemplateSyntaxError("macros are not taken", node.lineno)
        for loop in list(tree.find_all(nodes.For)):
            if loop.recursive:
                raise TemplateSyntaxError("recursive loops are not taken", loop.lineno)
            loop.iter = nodes.Filter(loop.iter, "counted_turns", [], [], None, None, lineno=loop.lineno)
        tree.set_environment(self)
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(side, int | float) and abs(side) < 1e15 for side in (left, right)):
            raise SecurityError(f"{operator} is for numbers, and not for large ones")
        if operator == "**" and abs(right) > 20:
            raise SecurityError("the exponent is too large")
        return super().call_binop(context, operator, left, right)


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    """The same, each a turn of the template that is being rendered."""
    turns = _turns.get()
    for item in items:
        turns[0] += 1
        if turns[0] > MOST_TURNS_IN_ALL:
            raise SecurityError(f"its loops take more than {MOST_TURNS_IN_ALL:,} turns")
        yield item


def _short_range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > MOST_TURNS:
        raise SecurityError(f"a range has at most {MOST_TURNS} numbers")
    return found


@cache
def _bounded() -> _Bounded:
    environment = _Bounded(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals = {"range": _short_range}
    for grows in ("center", "format", "indent", "batch", "slice"):
        del environment.filters[grows]
    environment.filters["counted_turns"] = _counted
    return environment


@lru_cache(maxsize=1_000)
def checked(text: str) -> Template:
    """A template that somebody wrote. Raises ValueError."""
    if len(text) > LONGEST_TEMPLATE:
        raise ValueError(f"the template is longer than {LONGEST_TEMPLATE} characters")
    try:
        return _bounded().from_string(text)
    except (TemplateError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ValueError(f"not a template: {error}{f' (line {line})' if line else ''}") from error


def check_names(text: str, known: Container[str]) -> None:
    """Whether a template looks at nothing but what is there. Raises ValueError."""
    checked(text)
    tree = _bounded().parse(text)
    unknown = {name for name in find_undeclared_variables(tree) if name not in known} - {"range"}
    for node in tree.find_all(nodes.Name):
        if node.name in unknown:
            raise ValueError(f"there is no {node.name!r} (line {node.lineno})")


def render_text(text: str, values: Mapping[str, Any]) -> str:
    """Render a template that somebody wrote. Raises Rejected."""
    parts, size = [], 0
    _turns.set([0])
    try:
        template = checked(text)
    except ValueError as error:
        raise Rejected(str(error)) from error
    try:
        for part in template.generate(values):
            size += len(part)
            if size > LONGEST_TEXT:
                raise Rejected(f"the template gives more than {LONGEST_TEXT} characters")
            parts.append(part)
    except Rejected:
        raise
    except Exception as error:
        where = f" (line {line})" if (line := _line(error)) else ""
        raise Rejected(f"the template fails: {type(error).__name__}: {error}{where}") from error
    return "".join(parts)


def _line(error: Exception) -> int:
    """The line of a template at which it failed: Jinja puts its lines into the traceback."""
    frames = walk_tb(error.__traceback__)
    return next((line for frame, line in frames if frame.f_code.co_filename == "<template>"), 0)


def _kept(text: str) -> str:
    checked(text)
    return text


def _kept_by_name(texts: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for text in texts.values():
        checked(text.get_secret_value())
    return texts


# A setting that holds a template, and one that holds secret ones by name, such as headers.
Written = Annotated[str, AfterValidator(_kept)]
WrittenSecrets = Annotated[dict[str, SecretStr], AfterValidator(_kept_by_name)]
