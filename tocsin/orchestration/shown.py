"""A definition's document as it is shown: its nodes' secrets as dots, which somebody may give back."""

from collections.abc import Mapping
from typing import Any

from tocsin.core.errors import UnknownPlugin
from tocsin.core.secret_fields import MASK
from tocsin.orchestration.definition import Problem, Unsound
from tocsin.orchestration.nodes import nodes


def shown(document: Mapping[str, Any]) -> dict[str, Any]:
    """A sound document, secrets as dots; all of a config where nobody knows any more which are secret."""
    return {**document, "nodes": [{**node, **_masked(node)} for node in document.get("nodes", [])]}


def restored(given: Any, stored: Mapping[str, Any]) -> Any:
    """What somebody gives who was shown dots: where they stand again, the secret is as it was in the node
    of that id. Raises Unsound where there is none."""
    if not isinstance(given, dict) or not isinstance(given.get("nodes"), list):
        return given
    old = {node["id"]: node for node in stored.get("nodes", [])}
    return {**given, "nodes": [_restored(node, old) for node in given["nodes"]]}


def _masked(node: Mapping[str, Any]) -> dict[str, Any]:
    config = node.get("config")
    if not config:
        return {}
    try:
        return {"config": nodes.get(node["type"]).masked(config)}
    except UnknownPlugin:
        return {"config": dict.fromkeys(config, MASK)}


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
