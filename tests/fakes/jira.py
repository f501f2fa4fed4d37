"""A stand-in for Jira: issues, comments and a workflow, as Cloud (v3, documents) or Data Center (v2, text).

https://developer.atlassian.com/cloud/jira/platform/rest/v3/ · https://developer.atlassian.com/server/jira/
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

EMAIL, TOKEN = "ops@example.com", "ATATT3xFfGF0"
# From each status the transitions that lead on: id, name and the status.
WORKFLOW = {
    "To Do": [("11", "Start", "In Progress"), ("31", "Close issue", "Done")],
    "In Progress": [("31", "Close issue", "Done")],
    "Done": [("41", "Reopen issue", "To Do")],
}


@dataclass
class Issue:
    """An issue and what was said of it."""

    key: str
    fields: dict[str, Any]
    status: str = "To Do"
    comments: list[Any] = field(default_factory=list)

    @property
    def shown(self) -> dict[str, Any]:
        category = {"Done": "done", "To Do": "new"}.get(self.status, "indeterminate")
        ways = [{"id": i, "name": name, "to": {"name": to}} for i, name, to in WORKFLOW[self.status]]
        return {
            "key": self.key,
            "fields": {"status": {"name": self.status, "statusCategory": {"key": category}}},
            "transitions": ways,
        }


class Jira(Service):
    """``cloud`` says which of the two it is. ``issues`` by key."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.issues: dict[str, Issue] = {}
        self.cloud = True

    def answer(self, received: Received) -> Answer:
        pair = base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        if received.headers.get("authorization") != (f"Basic {pair}" if self.cloud else f"Bearer {TOKEN}"):
            return json(401, {"message": "Client must be authenticated to access this resource."})
        asked = urlsplit(received.path)
        version, _, path = asked.path.removeprefix("/rest/api/").partition("/")
        if version != ("3" if self.cloud else "2"):
            return json(404, {})
        body = msgspec.json.decode(received.body) if received.body else None
        try:
            return self._carry_out(received.method, path, parse_qs(asked.query), body)
        except Invalid as error:
            return json(400, {"errorMessages": [], "errors": {"field": str(error)}})
        except KeyError:
            return json(
                404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}
            )

    def _carry_out(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        if (method, path) == ("POST", "issue"):
            return self._create(body["fields"])
        if (method, path) == ("GET", "search/jql" if self.cloud else "search"):
            found = re.fullmatch(r'project = "(\w+)" AND labels = "([\w-]+)"', query["jql"][0])
            if found is None:
                raise Invalid("The JQL query is invalid.")
            issues = [issue.shown for issue in self.issues.values() if found[2] in issue.fields["labels"]]
            return json(200, {"issues": issues})
        parts = path.split("/")
        if parts[0] != "issue":
            raise Invalid(f"there is no {path}")
        issue = self.issues[parts[1]]
        if (method, parts[2:]) == ("POST", ["comment"]):
            check_text(body["body"], self.cloud)
            issue.comments.append(body["body"])
            return json(201, {"id": str(len(issue.comments))})
        if (method, parts[2:]) == ("POST", ["transitions"]):
            return self._move(issue, body["transition"]["id"])
        if (method, parts[2:], query) != ("GET", [], {"fields": ["status"], "expand": ["transitions"]}):
            raise Invalid(f"there is no {method} {path}")
        return json(200, issue.shown)

    def _create(self, fields: dict[str, Any]) -> Answer:
        if fields["project"]["key"] != "OPS":
            raise Invalid("valid project is required")
        if fields["issuetype"]["name"] not in ("Task", "Incident"):
            raise Invalid("Specify a valid issue type")
        if fields.get("priority", {}).get("name", "High") not in ("Highest", "High"):
            raise Invalid("Specify a valid priority")
        check_summary(fields["summary"])
        check_text(fields["description"], self.cloud)
        if any(" " in label for label in fields["labels"]):
            raise Invalid("The label contains spaces which is invalid.")
        issue = Issue(f"OPS-{len(self.issues) + 1}", fields)
        self.issues[issue.key] = issue
        return json(201, {"id": "10000", "key": issue.key, "self": f"{self.url}/rest/api/3/issue/10000"})

    def _move(self, issue: Issue, chosen: str) -> Answer:
        for number, _, to in WORKFLOW[issue.status]:
            if number == chosen:
                issue.status = to
                return Answer(204, b"")
        raise Invalid("Transition id is not valid for this issue.")


def check_summary(summary: str) -> None:
    if not summary.strip():
        raise Invalid("You must specify a summary of the issue.")
    if len(summary) > 255 or "\n" in summary or "\r" in summary:
        raise Invalid("Summary must be less than 255 characters, without line breaks.")


def check_text(text: Any, cloud: bool) -> None:
    """Raise Invalid unless it is a document for Cloud, or text for Data Center."""
    if not cloud:
        if not isinstance(text, str) or len(text) > 32_767:
            raise Invalid("The entered text is too long.")
        return
    if not isinstance(text, dict) or (text["type"], text["version"]) != ("doc", 1):
        raise Invalid("Operation value must be an Atlassian Document")
    if sum(map(len, texts(text))) > 32_767:
        raise Invalid("CONTENT_LIMIT_EXCEEDED")
    for paragraph in text["content"]:
        if paragraph["type"] != "paragraph" or not paragraph["content"]:
            raise Invalid("INVALID_INPUT")
        for node in paragraph["content"]:
            if node["type"] not in ("text", "hardBreak") or (node["type"] == "text" and not node["text"]):
                raise Invalid("INVALID_INPUT")


def texts(document: Any) -> list[str]:
    """All that a document says."""
    return [
        node["text"]
        for paragraph in document["content"]
        for node in paragraph["content"]
        if node["type"] == "text"
    ]
