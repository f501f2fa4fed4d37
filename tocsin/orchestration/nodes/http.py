"""A request to another system: to ask it something, or to set off what it can do."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from pydantic import Field

from tocsin.core import templates
from tocsin.core.http import Client, Response
from tocsin.core.templates import Written, WrittenSecrets
from tocsin.orchestration.nodes import Context, NodeConfig, Outcome, SlowNode, Walk


class Config(NodeConfig):
    """The request; URL, headers and body are templates over the run's document."""

    url: Written = Field(
        description="Where to; must be reachable by TOCSIN_OUTBOUND_ALLOW where it is not public"
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(default="GET", description="How")
    headers: WrittenSecrets = Field(default={}, description="By name; the place for keys and tokens")
    body: Written = Field(default="", description="Sent as it is; JSON is told by its header")


class Node(SlowNode[Config]):
    """Gives status and body, decoded where it is JSON. Each try bears the same Idempotency-Key, as a crash
    may repeat one."""

    Config = Config

    async def perform(self, walk: Walk, http: Client, now: datetime, name: str, timeout: float) -> Outcome:
        asked = self._request(walk, name)
        response = await http.request(
            asked["method"], asked["url"], asked["body"].encode(), asked["headers"], timeout
        )
        response.require_success()
        return Outcome(_shown(asked), _told(response))

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        return Outcome(
            _shown(self._request(walk, name)), {"status": 0, "reason": "not asked: this is a rehearsal"}
        )

    def _request(self, walk: Walk, name: str) -> dict[str, Any]:
        document, config = walk.document(), self.config
        headers = {
            key: templates.render_text(value.get_secret_value(), document)
            for key, value in config.headers.items()
        }
        return {
            "method": config.method,
            "url": templates.render_text(config.url, document),
            "headers": {"Idempotency-Key": f"{walk.run_id}:{name}", **headers},
            "body": templates.render_text(config.body, document),
        }


def _shown(asked: dict[str, Any]) -> dict[str, Any]:
    """Headers may hold secrets."""
    return {"method": asked["method"], "url": asked["url"], "headers": sorted(asked["headers"])}


def _told(response: Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(response.body)
    except msgspec.DecodeError:
        body = response.text(4_000)
    return {"status": response.status, "body": body}
