"""A stand-in for Mattermost: its posts and its incoming webhooks keep to the rules and answer as the server
does.

https://developers.mattermost.com/api-documentation/#/operations/CreatePost
https://developers.mattermost.com/integrate/webhooks/incoming/
"""

import re
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

TOKEN, CHANNEL = "o8f3mtyk3tn8dr5wq1ih4xtqna", "4xp9fdt77pncbef59f4k1qe83o"
HOOK = "/hooks/xxxgeneratedkeyxxxgenerate"
MENTION = re.compile(r"(?<![^\W_])@(channel|all|here|ada)\b")


class Mattermost(Service):
    """``posts`` holds what it accepted by id; an answer has its ``root_id``. Posts older than the server lets
    change are in ``old``."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.posts: dict[str, Any] = {}
        self.old: set[str] = set()
        self._pending: dict[str, str] = {}

    @property
    def hook(self) -> str:
        return super().url + HOOK

    def answer(self, received: Received) -> Answer:
        try:
            return self._answer(received)
        except Invalid as error:
            return refused(*error.args)

    def _answer(self, received: Received) -> Answer:
        if received.path.startswith("/hooks/"):
            return self._by_hook(received)
        if received.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Invalid(401, "api.context.session_expired.app_error", "Invalid or expired session")
        body = _read(received)
        if (received.method, received.path) == ("POST", "/api/v4/posts"):
            return self._create(body)
        found = re.fullmatch(r"/api/v4/posts/(\w+)/patch", received.path)
        if received.method == "PUT" and found:
            return self._patch(found[1], body)
        raise Invalid(404, "api.context.404.app_error", "Sorry, we could not find the page.")

    def _by_hook(self, received: Received) -> Answer:
        if received.path != HOOK:
            raise Invalid(400, "web.incoming_webhook.invalid.app_error", "Invalid webhook.")
        body = _read(received)
        check({"message": body.get("text", ""), "props": {"attachments": body.get("attachments", [])}})
        self.posts[f"post{len(self.posts)}"] = body
        return Answer(200, b"ok", {"Content-Type": "text/plain"})

    def _create(self, body: Any) -> Answer:
        if body.get("channel_id") != CHANNEL:
            raise Invalid(403, "api.context.permissions.app_error", "You do not have the permissions")
        if body.get("root_id", "") and body["root_id"] not in self.posts:
            raise Invalid(400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
        check(body)
        key = body.get("pending_post_id") or str(len(self.posts))
        post_id = self._pending.setdefault(key, f"post{len(self.posts)}")
        self.posts[post_id] = body
        return json(201, {"id": post_id, **body})

    def _patch(self, post_id: str, body: Any) -> Answer:
        if post_id not in self.posts:
            raise Invalid(403, "api.context.permissions.app_error", "You do not have the permissions")
        if post_id in self.old:
            code = "api.post.update_post.permissions_time_limit.app_error"
            raise Invalid(400, code, "Post edit is only allowed for 300 seconds.")
        check(body)
        self.posts[post_id] |= body
        return json(200, {"id": post_id, **self.posts[post_id]})


def refused(status: int, code: str, said: str) -> Answer:
    """What it says when it does not do it."""
    return json(status, {"id": code, "message": said, "detailed_error": "", "status_code": status})


def _read(received: Received) -> Any:
    try:
        return msgspec.json.decode(received.body)
    except msgspec.DecodeError as error:
        raise Invalid(400, "api.unmarshal_error", "Invalid JSON") from error


def check(post: Any) -> None:
    """Raise Invalid unless any server would take this post, and it calls nobody."""
    if len(post["message"]) > 4_000:
        raise Invalid(400, "model.post.is_valid.msg.app_error", "Post Message property is too long")
    attachments = post["props"]["attachments"]
    if not post["message"].strip() and not attachments:
        raise Invalid(400, "model.post.is_valid.msg.app_error", "a post needs words")
    if len(msgspec.json.encode(post["props"]).decode()) > 8_000 - 100:
        raise Invalid(400, "model.post.is_valid.props.app_error", "Invalid props.")
    for text in (post["message"], *(attachment["text"] for attachment in attachments)):
        if "\0" in text or MENTION.search(text):
            raise Invalid(400, "test", f"this test wants nobody mentioned: {text}")
    for attachment in attachments:
        if not attachment["fallback"] or not re.fullmatch("#[0-9a-f]{6}", attachment["color"]):
            raise Invalid(400, "test", "an attachment needs a fallback and a colour")
