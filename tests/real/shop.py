"""An installation with one source, ``shop``, for other systems' clients to send to."""

import json
import re
import urllib.request
from functools import cached_property
from typing import Any

import msgspec

from tests.processes import Tocsin


class Shop:
    """``token`` is its source's: routing key, GenieKey or whatever a client calls it."""

    def __init__(self, tocsin: Tocsin) -> None:
        self.tocsin = tocsin
        made = tocsin.run("source", "create", "shop", "--label", "team=db", "--json")
        self.token = str(msgspec.json.decode(made)["token"])

    @property
    def url(self) -> str:
        return self.tocsin.url

    @cached_property
    def _key(self) -> str:
        [key] = re.findall(r"tocsin_\S+", self.tocsin.run("api_key", "create", "reader", "--scope", "read"))
        return str(key)

    def alerts(self) -> list[dict[str, Any]]:
        """What the JSON API tells of them, newest first."""
        asked = urllib.request.Request(f"{self.url}/api/v1/alerts/")
        asked.add_header("Authorization", f"Bearer {self._key}")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["alerts"]
            return found

    def alert(self) -> dict[str, Any]:
        """The only one."""
        [found] = self.alerts()
        return found

    def incident_is(self, status: str) -> None:
        """Wait until the only incident is so."""
        asked = "SELECT status FROM alerts_incident"
        self.tocsin.wait(lambda: self.tocsin.query(asked) == [(status,)], f"one incident, {status}")

    @property
    def history(self) -> list[str]:
        """What came to pass, in order."""
        rows = self.tocsin.query("SELECT kind FROM alerts_alerthistory ORDER BY id")
        return [kind for (kind,) in rows]
