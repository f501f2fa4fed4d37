"""Jira's REST API: an issue for each incident, comments for what follows, done at its end.
https://developer.atlassian.com/cloud/jira/platform/rest/v3/ (Cloud)
https://developer.atlassian.com/server/jira/platform/rest/ (Data Center, v2)

What people write into the issue stays: nothing but its status is changed. A label that no other incident
has finds an issue whose key was lost in a crash.
"""

import re
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, Field, SecretStr, model_validator

from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client, Response, authorization
from tocsin.notify.answer import require_no_page, required
from tocsin.notify.drivers import THREAD, Gone, Handle, Rate, ThreadedDriver
from tocsin.notify.message import RESOLVED, TEST, Message
from tocsin.notify.wording import cut, lines, links

A = TypeVar("A")
MAX_SUMMARY: Final = 255
MAX_TEXT: Final = 15_000  # Jira takes 32,767 characters, with all that its notation adds
_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]+-[0-9]+")
_MARKUP: Final = re.compile(r"([{}\[\]!|*_?+^~#@\-])")  # what Jira's own notation gives a meaning
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # Jira stores texts as XML can hold them


class Config(BaseModel):
    url: str = Field(
        description="The site's address, such as https://example.atlassian.net", pattern=r"^https?://"
    )
    email: str = Field(default="", description="User of the API token (Cloud); empty for Data Center")
    token: SecretStr = Field(description="API token (Cloud), or personal access token (Data Center)")
    project: str = Field(description="Key of the project, such as OPS", pattern=r"^[A-Z][A-Z0-9_]+$")
    issue_type: str = Field(default="Task", description="Type of the issues")
    done: str = Field(default="Done", description="Transition, or status that one leads to, at the end")
    reopen: str = Field(default="", description="The same for what is not over after all; empty to leave it")
    priorities: dict[str, str] = Field(
        default={}, description="Names of priorities by severity, where the project has any"
    )

    @model_validator(mode="after")
    def _is_complete(self) -> "Config":
        if ".atlassian.net" in self.url and not self.email:
            raise ValueError("Jira Cloud needs the email of the API token's user")
        return self


class Driver(ThreadedDriver[Config]):
    """Makes an issue in Jira for each incident, comments on it, and moves it to done."""

    Config = Config
    concurrency = 2
    rate = Rate(per_second=5, burst=20)
    modes = (THREAD,)

    async def post(self, message: Message, http: Client) -> Handle:
        handle = await self._find(message, http) or await self._create(message, http)
        if message.kind in (RESOLVED, TEST):
            await self._move(handle, self.config.done, True, http)
        return handle

    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        over = message.kind == RESOLVED
        await self._move(handle, self.config.done if over else self.config.reopen, over, http)

    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        body = {"body": self._worded([message.headline, *lines(message)], message)}
        required(await self._ask("POST", f"issue/{handle['issue']}/comment", http, body), "id")

    def fields(self, message: Message) -> dict[str, Any]:
        """What a new issue holds."""
        config = self.config
        summary = " ".join(_CONTROLS.sub(" ", message.subject or message.title).split())
        fields = {
            "project": {"key": config.project},
            "issuetype": {"name": config.issue_type},
            "summary": cut(summary or message.headline, MAX_SUMMARY),
            "description": self._worded(lines(message), message),
            "labels": ["tocsin", message.key],
        }
        priority = config.priorities.get(message.severity)
        return fields | ({"priority": {"name": priority}} if priority else {})

    async def _find(self, message: Message, http: Client) -> Handle | None:
        """The issue that an earlier try has made, of which nobody was told."""
        jql = quote(f'project = "{self.config.project}" AND labels = "{message.key}"')
        where = "search/jql" if self.config.email else "search"
        answer = await self._ask("GET", f"{where}?jql={jql}&fields=status&maxResults=1", http)
        issues = _read(answer, _Found).issues
        return _handle(issues[0], answer) if issues else None

    async def _create(self, message: Message, http: Client) -> Handle:
        answer = await self._ask("POST", "issue", http, {"fields": self.fields(message)})
        return _handle(_read(answer, _Issue), answer)

    async def _move(self, handle: Handle, wanted: str, over: bool, http: Client) -> None:
        """Take the transition of that name, or to the status of that name; unless it is over already, or is
        not over anyway."""
        if not wanted:
            return
        where = f"issue/{handle['issue']}"
        found = _read(await self._ask("GET", f"{where}?fields=status&expand=transitions", http), _Standing)
        status, ways = found.fields.status, found.transitions
        is_over = status.category.key == "done"
        if is_over == over or status.name.casefold() == wanted.casefold():
            return
        for way in ways:
            if wanted.casefold() in (way.name.casefold(), way.to.name.casefold()):
                await self._ask("POST", f"{where}/transitions", http, {"transition": {"id": way.id}})
                return
        names = ", ".join(way.name for way in ways)
        raise Rejected(f"no transition {wanted!r} leads on from {status.name!r}; there are: {names}")

    def _worded(self, said: list[str], message: Message) -> Any:
        """Text for this kind of Jira: a document for Cloud, its own notation for Data Center."""
        text = cut(_CONTROLS.sub("", "\n\n".join(said)), MAX_TEXT)
        return _document(text, message) if self.config.email else _notation(text, message)

    async def _ask(self, method: str, path: str, http: Client, body: Any = None) -> Response:
        user, token = self.config.email, self.config.token.get_secret_value()
        proof = authorization(username=user, password=token) if user else authorization(token=token)
        headers = {"Accept": "application/json", "Content-Type": "application/json", **proof}
        version = 3 if self.config.email else 2
        url = f"{self.config.url.rstrip('/')}/rest/api/{version}/{path}"
        sent = b"" if body is None else msgspec.json.encode(body)
        response = await http.request(method, url, sent, headers, self.timeout)
        if response.status == 404 and path.startswith("issue/"):
            raise Gone("the issue is gone, or may not be seen any more")
        response.require_success()
        require_no_page(response, Unavailable)
        return response


class _Issue(msgspec.Struct):
    key: str


class _Found(msgspec.Struct):
    issues: list[_Issue]


class _Category(msgspec.Struct):
    key: str


class _Named(msgspec.Struct):
    name: str


class _Status(_Named):
    category: _Category = msgspec.field(name="statusCategory")


class _Fields(msgspec.Struct):
    status: _Status


class _Way(_Named):
    """A transition."""

    id: str
    to: _Named


class _Standing(msgspec.Struct):
    """Where an issue stands, and the ways on from there."""

    fields: _Fields
    transitions: list[_Way]


def _read(answer: Response, kind: type[A]) -> A:
    """What Jira says, in its shape. Raises Unavailable: an issue that is made all the same is found again."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unavailable(f"not Jira's answer: {answer.text()}") from None


def _handle(issue: _Issue, answer: Response) -> Handle:
    """What an issue is found by; what is no key must not become part of a URL."""
    if not _KEY.fullmatch(issue.key):
        raise Unavailable(f"not Jira's answer: {answer.text()}")
    return {"issue": issue.key}


def _document(text: str, message: Message) -> dict[str, Any]:
    """Atlassian's document format: text is text in it, whatever it says."""
    paragraphs = [_paragraph(part) for part in text.split("\n\n") if part.strip()]
    ways: list[dict[str, Any]] = []
    for name, url in links(message):
        ways += [_text(name, {"type": "link", "attrs": {"href": url}}), _text(" · ")]
    last = {"type": "paragraph", "content": [*ways, _text(f"trace {message.trace_id}")]}
    return {"type": "doc", "version": 1, "content": [*paragraphs, last]}


def _paragraph(text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for line in filter(None, text.split("\n")):
        content += [{"type": "hardBreak"}] * bool(content) + [_text(line)]
    return {"type": "paragraph", "content": content}


def _text(text: str, *marks: dict[str, Any]) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "text", "text": text}
    return node | {"marks": list(marks)} if marks else node


def _notation(text: str, message: Message) -> str:
    """Jira's own notation, with a backslash before all that has a meaning in it."""
    apart = text.replace("\\", "\\\u200b")  # two backslashes would break the line, and free what follows
    ways = " · ".join(f"[{name}|{url}]" for name, url in links(message))
    return _MARKUP.sub(r"\\\1", apart) + f"\n\n{ways}\ntrace {message.trace_id}"
