"""Sandboxed Jinja2 for messages: no attribute with an underscore, nothing that can be changed."""

from functools import cache

from jinja2 import StrictUndefined
from jinja2.loaders import PackageLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment


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
