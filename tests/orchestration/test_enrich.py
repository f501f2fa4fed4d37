"""Labels out of a table, or looked up at another system, which may answer anything."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from tests.fakes.receiver import Answer, Received, Receiver
from tests.notify.messages import NOON
from tests.world import World
from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.orchestration import definitions
from tocsin.orchestration.definition import Unsound
from tocsin.orchestration.graph import four_stages, graph_of
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.nodes import BatchNode, Context, Outcome, SlowNode, Walk, enrich, nodes
from tocsin.orchestration.shown import shown

SECRET: Final = "s3cr3t-that-nobody-may-see"
OWNER: Final = {"owner": {"team": "sre"}, "rack": 12, "spare": False, "note": None, "tags": ["a"]}


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    enrich._ANSWERS.clear()
    yield
    enrich._ANSWERS.clear()


def lookup(receiver: Receiver, **told: Any) -> dict[str, Any]:
    """A node's config that asks the receiver about the instance."""
    given = {
        "url": receiver.url + "?host={{ incident.labels.instance|urlencode }}",
        "headers": {"Authorization": f"Bearer {SECRET}"},
        "labels": {"team": "owner.team"},
    }
    return {"lookup": {**given, **told}}


def answered(document: Any, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(document))


def node_of(config: dict[str, Any]) -> Any:
    kind = nodes.get("enrich")
    return kind.of(kind.Config.model_validate(config))


def walk(instance: str = "web-1") -> Walk:
    labels = {"instance": instance, "job": "shop"}
    news = News(1, "HighCPU", "open", "critical", labels, 1, 1, NOON, "trace", "fired", [])
    return Walk("run", news, four_stages())


def perform(*given: Any, seconds: float = 5, after: float = 0, instance: str = "web-1") -> list[Outcome]:
    """Let nodes of these configs ask at the same time."""

    async def main() -> list[Outcome]:
        http, now = Client(), NOON + timedelta(seconds=after)
        try:
            asked = (node_of(one).perform(walk(instance), http, now, "who", seconds) for one in given)
            return await asyncio.gather(*asked)
        finally:
            http.close()

    return asyncio.run(main())


def labels_of(*given: Any, **told: Any) -> Any:
    (outcome,) = perform(*given, **told)
    return outcome.output["labels"]


def refused(config: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Unsound) as wrong:
        graph_of({"nodes": [{"id": "who", "type": "enrich", "config": config}]})
    return [(problem.field, problem.message) for problem in wrong.value.problems]


def test_a_table_works_in_the_turn_and_a_lookup_beside_it(receiver: Receiver) -> None:
    table = node_of({"label": "instance", "table": {"web-1": {"team": "sre"}}})
    asking = node_of(lookup(receiver))
    assert isinstance(table, BatchNode) and not isinstance(table, SlowNode)
    assert isinstance(asking, SlowNode) and not isinstance(asking, BatchNode)
    assert isinstance(table, nodes.get("enrich")) and isinstance(asking, nodes.get("enrich"))


def test_exactly_one_of_table_and_lookup(receiver: Receiver) -> None:
    either = [("config", "give either a table, with its label, or a lookup")]
    table = {"label": "instance", "table": {"web-1": {"team": "sre"}}}
    assert refused({}) == refused({"label": "instance"}) == refused(table | lookup(receiver)) == either
    assert "label: a table needs" in refused({"table": table["table"]})[0][1]
    assert "label: it belongs to a table" in refused({"label": "x"} | lookup(receiver))[0][1]


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"url": ""}, "config.lookup.url"),
        ({"url": "{{"}, "config.lookup.url"),
        ({"headers": {"X": "{{"}}, "config.lookup.headers"),
        ({"headers": {"X": {"sealed": "x"}}}, "config.lookup.headers.X"),
        ({"labels": {}}, "config.lookup.labels"),
        ({"labels": {"": "a"}}, "config.lookup.labels"),
        ({"labels": {"a\n": "a"}}, "config.lookup.labels"),
        ({"labels": {"a": "a["}}, "config.lookup.labels.a"),
        ({"cache_seconds": 86_401}, "config.lookup.cache_seconds"),
        ({"cache_seconds": -1}, "config.lookup.cache_seconds"),
        ({"method": "POST"}, "config.lookup.method"),
    ],
)
def test_what_cannot_be_looked_up_is_told_by_its_field(
    receiver: Receiver, told: dict[str, Any], field: str
) -> None:
    assert [where for where, _ in refused(lookup(receiver, **told))] == [field]


def test_tables_hold_labels_too() -> None:
    for wrong in ({"": "x"}, {"a": "\0"}, {"a": "x" * 10_000}):
        assert refused({"label": "x", "table": {"y": wrong}})[0][0] == "config.table.y"
        assert refused({"label": "x", "table": {"y": {"a": "b"}}, "default": wrong})[0][0] == "config.default"


def test_what_an_answer_gives(receiver: Receiver) -> None:
    receiver.default = answered(OWNER)
    labels = {"team": "owner.team", "rack": "rack", "spare": "spare", "note": "note", "gone": "no.such"}
    (outcome,) = perform(lookup(receiver, labels=labels))
    assert outcome.output == {"labels": {"team": "sre", "rack": "12", "spare": "false"}}
    (asked,) = receiver.received
    assert (asked.method, asked.path) == ("GET", "/hook?host=web-1")
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert outcome.input == {"url": receiver.url + "?host=web-1", "headers": ["Accept", "Authorization"]}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answered({"owner": {"team": {"x": 1}}}), "label team: its expression finds an object"),
        (answered({"owner": {"team": ["x"]}}), "label team: its expression finds a list"),
        (answered({"owner": {"team": "a\0b"}}), "label 'team' holds a NUL"),
        (answered({"owner": {"team": "x" * 9_000}}), "a value is too long"),
        (answered("x" * 70_000), "larger than 64 KiB"),
        (Answer(200, b"<html>" + b"x" * 9_999), "the answer is no JSON .*<html>"),
        (Answer(200, b"[" * 60_000), "the answer is no JSON"),
        (Answer(200, b"\xff\xfe"), "the answer is no JSON"),
        (answered({}, 404), "HTTP 404"),
        (answered({}, 403), "HTTP 403"),
        (Answer(302, b"", {"Location": "http://127.0.0.1/"}), "HTTP 302"),
    ],
)
def test_what_no_label_can_be_made_of_is_not_tried_again(
    receiver: Receiver, answer: Answer, said: str
) -> None:
    receiver.default = answer
    with pytest.raises(Rejected, match=said):
        perform(lookup(receiver))


def test_a_server_in_trouble_is_asked_again(receiver: Receiver) -> None:
    receiver.answers = [answered({}, 503)]
    receiver.default = answered(OWNER)
    with pytest.raises(Unavailable, match="HTTP 503"):
        perform(lookup(receiver))
    assert labels_of(lookup(receiver)) == {"team": "sre"}, "a failure is not remembered"
    receiver.default = Answer(delay=0.5)
    with pytest.raises(Unavailable, match="did not answer within"):
        perform(lookup(receiver), instance="web-2", seconds=0.1)


def test_what_nobody_knows_has_the_default(receiver: Receiver) -> None:
    receiver.default = answered({"detail": "not found"}, 404)
    config = lookup(receiver) | {"default": {"team": "nobody"}}
    assert labels_of(config) == labels_of(config) == {"team": "nobody"}
    assert len(receiver.received) == 1
    with pytest.raises(Rejected, match="HTTP 404"):
        perform(lookup(receiver))


def test_the_same_is_asked_once(receiver: Receiver) -> None:
    receiver.answer_to = lambda asked: Answer(200, answered(OWNER).body, delay=0.1)
    other = lookup(receiver, labels={"rack": "rack"})
    outcomes = perform(*[lookup(receiver)] * 10, other)
    assert [one.output["labels"] for one in outcomes] == [{"team": "sre"}] * 10 + [{"rack": "12"}]
    assert len(receiver.received) == 1
    perform(lookup(receiver), after=299)
    assert len(receiver.received) == 1
    perform(lookup(receiver), after=300)
    assert len(receiver.received) == 2


def test_another_request_is_another_answer(receiver: Receiver) -> None:
    receiver.answer_to = lambda asked: answered({"owner": {"team": asked.headers["authorization"][-1]}})
    keys = ("Bearer a", "Bearer b")
    found = [labels_of(lookup(receiver, headers={"Authorization": key}))["team"] for key in keys]
    assert found == ["a", "b"], "who has another key may be told something else"
    perform(lookup(receiver), instance="web-2")
    assert len(receiver.received) == 3
    for _ in range(2):
        perform(lookup(receiver, cache_seconds=0), instance="web-2")
    assert len(receiver.received) == 5


def test_alert_text_stays_within_the_request(receiver: Receiver) -> None:
    receiver.default = answered(OWNER)
    perform(lookup(receiver), instance="../../admin?x=1&y=\r\nHost: evil")
    (asked,) = receiver.received
    assert asked.path == "/hook?host=../../admin%3Fx%3D1%26y%3D%0D%0AHost%3A%20evil"
    with pytest.raises(Rejected):
        perform(lookup(receiver, url=receiver.url + "?{{ incident.labels.instance }}"), instance="a\r\nX: y")


def test_forbidden_addresses_are_not_asked(receiver: Receiver) -> None:
    with pytest.raises(Rejected, match="TOCSIN_OUTBOUND_ALLOW"):
        perform(lookup(receiver, url="http://169.254.169.254/latest/"))


def test_what_is_looked_up_reaches_matchers_and_messages_and_no_snapshot(world: World) -> None:
    world.channel()

    def answer(asked: Received) -> Answer:
        return (
            answered({"owner": {"team": "sre"}, "instance": "forged"}) if "host=" in asked.path else Answer()
        )

    world.receiver.answer_to = answer
    asks = lookup(world.receiver, labels={"team": "owner.team", "instance": "instance"})
    document = {"nodes": [
        {"id": "who", "type": "enrich", "next": "mine", "config": asks},
        {"id": "mine", "type": "condition", "next": "tell", "config": {"matchers": ["team=sre"]}},
        {"id": "tell", "type": "notify"},
    ]}  # fmt: skip
    found = definitions.put(name="mine", document=document, now=world.now)
    assert SECRET not in str(found.definition) and SECRET not in str(shown(found.definition))
    assert "\u2022" in str(shown(found.definition))
    world.fire()
    world.work()
    assert PipelineRun.objects.get().state == PipelineRun.NOTIFIED
    told = [one.json for one in world.receiver.received if one.method == "POST"]
    assert [(one["labels"]["team"], one["labels"]["instance"]) for one in told] == [("sre", "web-1")], (
        "labels that an incident has stay"
    )
    for stage in StageExecution.objects.all():
        assert SECRET not in f"{stage.input}{stage.output}{stage.error}"


def test_a_rehearsal_asks_nobody(receiver: Receiver) -> None:
    told = node_of(lookup(receiver)).rehearse(walk(), Context(NOON, CheckSet(())), "who")
    assert told.input["url"].endswith("?host=web-1")
    assert told.output == {"labels": {}, "reason": "not asked: this is a rehearsal"}
    assert receiver.received == []
