"""One registry for every kind of plug-in.

A plug-in is a module (or a package, when it brings templates). Its file name is the plug-in's
name and its class is named after the kind: ``drivers/grafana.py`` holds ``class Driver(BaseDriver)``.

Other distributions add plug-ins under an entry-point group of the same dotted path::

    [project.entry-points."tocsin.alerts.drivers"]
    acme = "acme_tocsin:Driver"
"""

from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Generic, TypeVar

from tocsin.core.errors import UnknownPlugin

P = TypeVar("P")


class Registry(Generic[P]):
    """The plug-ins of one kind: those in ``package`` and those of other distributions."""

    def __init__(self, package: str, base: type[P]) -> None:
        self.package = package
        self.base = base
        self.class_name = base.__name__.removeprefix("Base")

    @cached_property
    def _ours(self) -> set[str]:
        path = import_module(self.package).__path__
        return {module.name for module in iter_modules(path) if not module.name.startswith("_")}

    @cached_property
    def _theirs(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.package)}

    def names(self) -> list[str]:
        """Every plug-in's name, without importing a single plug-in."""
        return sorted(self._ours | self._theirs.keys())

    def get(self, name: str) -> type[P]:
        """Import a plug-in on first use; ours win over a third party's.

        Raises UnknownPlugin, which names the known ones.
        """
        if name in self._ours:
            found = getattr(import_module(f"{self.package}.{name}"), self.class_name, None)
        elif name in self._theirs:
            found = self._theirs[name].load()
        else:
            kind = self.class_name.lower()
            raise UnknownPlugin(f"there is no {kind} {name!r}; known: {', '.join(self.names())}")
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise UnknownPlugin(f"{self.package}.{name} has no class {self.class_name}({self.base.__name__})")
        return found
