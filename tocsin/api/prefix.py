"""Clients of other systems' APIs may be given a URL with a path of its own before the API's."""

import re
from typing import Final

from tocsin.alerts.intake.request import Scope

_PREFIXED: Final = re.compile(
    r"(?:/[\w.~-]+)+?(?P<path>/api/v2/.*|/api/v1/(?:alerts|silences|status|receivers|alerts/groups|silence/[^/]+)"
    r"|/-/(?:healthy|ready)|/metrics)"
)
_API: Final = "/api/v2/"
_OF_MIMIR: Final = "/alertmanager/api/v2/status"


def without(scope: Scope) -> Scope:
    """A request for Alertmanager's API as if no path stood before it and no slash at its end; any other as
    it is."""
    found = _PREFIXED.fullmatch(scope["path"])
    path: str = found["path"] if found else scope["path"]
    if path.startswith(_API):
        path = path.rstrip("/")
    if path == scope["path"] or _is_grafanas_doubt(scope):
        return scope
    return {**scope, "path": path, "raw_path": path.encode("utf-8", "replace")}


def _is_grafanas_doubt(scope: Scope) -> bool:
    """Whether Grafana asks for what Mimir has: if that were there, it would take us for a Mimir."""
    if not scope["path"].endswith(_OF_MIMIR):
        return False
    return any(name == b"user-agent" and told.startswith(b"Grafana/") for name, told in scope["headers"])
