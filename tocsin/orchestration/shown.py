"""A definition's document as it is shown and as it is stored: its nodes' secrets as dots, which somebody may
give back, and sealed."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tocsin.core import secret_fields
from tocsin.core.errors import Misconfigured, UnknownPlugin
from tocsin.core.secret_fields import MASK
from tocsin.db import sealed
from tocsin.orchestration.definition import Problem, Unsound
from tocsin.orchestration.nodes import nodes

DEEPEST: Final = 50


def shown(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored document, secrets as dots; all of a config where nobody knows any more which are secret."""
    return _changed(sealed.replaced(stored, secret_fields.dots), secret_fields.dots)


def stored(document: Mapping[str, Any]) -> dict[str, Any]:
    """A sound document as it is stored: each secret sealed, all else as it was given."""
    return _changed(document, sealed.seal)


def opened(stored: Any) -> Any:
    """A stored document with its secrets in clear. Raises Unsound where they cannot be read any more."""
    if not sealed.holds(stored):
        return stored
    problems: list[Problem] = []
    found = {**stored, "nodes": [_opened(node, problems) for node in stored["nodes"]]}
    if problems:
        raise Unsound(problems)
    return found


def restored(given: Any, stored: Mapping[str, Any]) -> Any:
    """What somebody gives who was shown dots, secrets in clear: where dots stand again, the secret is as it
    was in the node of that id. Raises Unsound where there is none."""
    if not isinstance(given, dict) or not isinstance(given.get("nodes"), list):
        return given
    if _too_deep(given):
        told = f"it is nested more than {DEEPEST} levels deep"
        raise Unsound([Problem(node="", field="definition", message=told)])
    _refuse_sealed(given["nodes"])
    old = {node["id"]: node for node in stored.get("nodes", [])}
    return opened({**given, "nodes": [_restored(node, old) for node in given["nodes"]]})


def _too_deep(given: Any) -> bool:
    level = [given]
    for _ in range(DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    return bool(level)


def _changed(document: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    found = [
        {**node, "config": _config_changed(node, change)} if node.get("config") else node
        for node in document.get("nodes", [])
    ]
    return {**document, "nodes": found}


def _config_changed(node: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    try:
        return nodes.get(node["type"]).changed(node["config"], change)
    except UnknownPlugin:
        return {name: change(value) for name, value in node["config"].items()}


def _opened(node: Any, problems: list[Problem]) -> Any:
    if not sealed.holds(node):
        return node
    try:
        return sealed.opened(node)
    except Misconfigured as error:
        problems.append(Problem(node=str(node.get("id"))[:64], field="config", message=str(error)))
        return node


def _refuse_sealed(given: list[Any]) -> None:
    """Who has seen a sealed value may not have it opened in another place."""
    told = "a sealed value cannot be given: give the secret itself"
    problems = [
        Problem(node=_name(node, place), field="config", message=told)
        for place, node in enumerate(given)
        if sealed.holds(node)
    ]
    if problems:
        raise Unsound(problems)


def _name(node: Any, place: int) -> str:
    return str(node["id"])[:64] if isinstance(node, dict) and "id" in node else f"#{place + 1}"


def _restored(node: Any, stored: Mapping[str, Mapping[str, Any]]) -> Any:
    if not isinstance(node, dict) or not isinstance(node.get("config"), dict) or not _dots(node["config"]):
        return node
    name = str(node.get("id"))
    try:
        config = nodes.get(str(node.get("type"))).unmasked(node["config"], _config(stored.get(name), node))
    except UnknownPlugin:
        return node  # which is said of its type
    if _dots(config):
        told = "the dots stand for a secret that is not kept here: give it"
        raise Unsound([Problem(node=name[:64], field="config", message=told)])
    return {**node, "config": config}


def _config(stored: Mapping[str, Any] | None, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config of the node that was shown; nothing where it is one of another type now."""
    if stored is None or stored["type"] != given.get("type"):
        return {}
    config: Mapping[str, Any] = stored.get("config", {})
    return config


def _dots(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_dots, value.values()))
    return any(map(_dots, value)) if isinstance(value, list) else value == MASK
