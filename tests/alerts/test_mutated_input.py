"""Any input whatever gives alerts or a refusal, in bulk: what ``test_any_input`` has no time for.

An input is one body given to one reader. A usual run gives ``USUAL`` of them at least, and
``TOCSIN_FUZZ_INPUTS=3000000 pytest tests/alerts/test_mutated_input.py`` as many as it says. They follow
from ``TOCSIN_FUZZ_SEED``, else from the seed of the tests' order; a failure tells the input and the seed.
"""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache, partial
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import pytest

from tests.alerts.apis.posts import NOW, Post
from tests.alerts.apis.test_any_input import sent
from tests.alerts.mutation import Mutator, words_of
from tests.alerts.test_any_input import RECORDED, _bodies, _check
from tests.alerts.test_golden import APIS, _payload
from tests.asgi import Request
from tests.doorway import ANY, API, Doorway
from tocsin.alerts import document
from tocsin.alerts.apis import APART, BaseApi, Refusal, alertmanager, apis
from tocsin.alerts.detect import detect
from tocsin.alerts.drivers import BaseDriver, drivers
from tocsin.alerts.events import Reading
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.listeners import mail
from tocsin.alerts.listeners.zigbee2mqtt import Reader
from tocsin.alerts.mapping import Mapping, checked
from tocsin.core.errors import Rejected

USUAL: Final = 200_000
INPUTS: Final = max(USUAL, int(os.environ.get("TOCSIN_FUZZ_INPUTS", "0")))
# Of a thousand inputs how many go where, and in how many tests, which run side by side.
SHARES: Final = {
    "drivers": (925, 16), "detection": (5, 1), "protocols": (30, 1), "mappings": (10, 1), "mails": (15, 1),
    "zigbee2mqtt": (10, 1), "door": (5, 1),
}  # fmt: skip
SIDE_BY_SIDE: Final = [(kind, part) for kind, (_, parts) in SHARES.items() for part in range(parts)]
TOGETHER: Final = 50  # posts to the door at a time

PROTOCOLS: Final = [name for name in apis.names() if name not in APART and sent(name)]
MAPPINGS: Final = (
    {"name": "name || title || labels.alertname || to_string(@)", "status": "status", "severity": "severity",
     "starts_at": "startsAt", "labels": {"all": "keys(@)"}, "fingerprint": "fingerprint"},
    {"alerts": "alerts[] || events || @", "name": "join(' ', [labels.alertname, status])", "link": "url",
     "severity": "max_by(tags, &severity).severity", "annotations": {"all": "@", "sum": "sum(values(@))"},
     "ends_at": "endsAt || timestamp", "statuses": {"x": "resolved"}, "severities": {"1": "critical"}},
    {"alerts": "values(@)", "name": "[0] || @ || 'x'", "labels": {"": "@", "n": "length(@)"}, "status": "a"},
)  # fmt: skip
MAILS: Final = (
    b"Subject: [FIRING:1] Disk full\r\nFrom: Mon <mon@example.com>\r\nMessage-ID: <1@x>\r\n\r\nState: OK",
    b"Subject: =?utf-8?b?w7wgcmVzb2x2ZWQ=?= =?iso-8859-1?q?=FC?=\r\nFrom: =?x?q?a?= <a@b>\r\nContent-Type: "
    b'multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-16\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nPHA+YTwvcD4=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: in\r\n\r\nx\r\n--b--\r\n",
    b"X-Netdata-Severity: WARNING\r\nX-Netdata-Host: db-1\r\nX-Netdata-Alert-Name: a\r\nSubject: PROBLEM\r\n"
    b"References: <a@b>\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSeverity: high=\r\n=FC=3D\r\n",
)  # fmt: skip
MAIL_WORDS: Final = (
    "utf-8", "utf-16le", "utf-8be", "iso-8859-99", "cp1252", "hz", "utf-7", "base64", "quoted-printable",
    "x-uu", "text/html", "multipart/mixed", "message/rfc822", "; charset=", "; charset*=utf-8''x",
    "=?utf-8?q?=ff?=", "=?hz?b?fn5+?=", "=?utf-8?b?=", "Content-Type: ", "Content-Disposition: attachment",
    "X-Jenkins-Result: ", "--b", "--b--", "\r\n ", "CRITICAL", "RESOLVED", "<script>", "<!--", "&#x110000;",
    "(" * 300,
)  # fmt: skip
PUBLISHED: Final = (
    ("bridge/state", b'{"state":"offline"}', b"online"),
    ("bridge/info", b'{"permit_join":true,"permit_join_end":1795234620123}', b'{"permit_join":true}',
     b'{"permit_join":true,"permit_join_timeout":254}'),
    ("bridge/event", b'{"type":"device_interview","data":{"status":"failed","ieee_address":"0x01"}}'),
    ("lamp", b'{"battery_low":true,"water_leak":false,"linkquality":90}'), ("lamp/availability", b"offline"),
    ("a/b/set", b'{"smoke":true}'), ("", b'{"state":"online"}'), ("\0", b'{"tamper":true}'),
)  # fmt: skip
HEADERS: Final[tuple[dict[str, str], ...]] = (
    {}, {}, {}, {"content-type": "application/x-www-form-urlencoded"}, {"content-type": "text/xml"},
    {"content-encoding": "gzip"}, {"x-correlation-id": "\xff"},
    {"content-type": "application/cloudevents+json"}, {"authorization": "Basic eDp5"},
    {"authorization": "Basic \xff"}, {"authorization": "GenieKey "}, {"content-length": "9" * 30},
)  # fmt: skip

Input = tuple[str, object, Callable[[], object]]  # who is given what, and the giving


def planned(kind: str) -> int:
    """How many inputs one test of a kind gives."""
    share, parts = SHARES[kind]
    return -(-INPUTS * share // (1_000 * parts))


def test_a_usual_run_gives_as_many_inputs_as_it_says() -> None:
    assert sum(planned(kind) for kind, _ in SIDE_BY_SIDE) >= INPUTS


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all drivers exist, also that of agents."""
    monkeypatch.setenv("CLUSTER_ENABLED", "1")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """That of the whole run."""
    return os.environ.get("TOCSIN_FUZZ_SEED") or str(request.config.getoption("randomly_seed", 0))


@pytest.mark.parametrize(("kind", "part"), [given for given in SIDE_BY_SIDE if given[0] != "door"])
def test_any_input_is_read_or_refused(kind: str, part: int, seed: str, record_property: Any) -> None:
    given = 0
    for reader, body, read in islice(INPUTS_OF[kind](f"{seed} {kind} {part}"), planned(kind)):
        try:
            read()
        except Rejected as refusal:
            told = len(str(refusal))
            assert 0 < told < 2_500 or kind == "detection", f"{reader} refuses {body!r} in {told} characters"
        except Exception as error:
            told = (
                f"{reader} fails with {error!r} when given {body!r} (input {given}, TOCSIN_FUZZ_SEED={seed})"
            )
            raise AssertionError(told) from error
        given += 1
    assert given == planned(kind)
    record_property(f"inputs: {kind}", given)


def test_the_door_never_fails(door: Doorway, seed: str, record_property: Any) -> None:
    requests, given = _requests(f"{seed} door"), 0
    while asked := list(islice(requests, min(TOGETHER, planned("door") - given))):
        for request, answer in zip(asked, door.call_all(*asked), strict=True):
            assert answer.status < 500, f"{request} is answered {answer} (TOCSIN_FUZZ_SEED={seed})"
        given += len(asked)
    record_property("inputs: door", given)
    door.still_works()


def _to_drivers(seed: str) -> Iterator[Input]:
    """A body goes to the driver that it was recorded for, and to two that it was not."""
    chance, readers = Mutator(seed), {name: drivers.get(name)() for name in RECORDED}
    mutators = {
        name: Mutator(f"{seed} {name}", _bodies(name), words_of(type(reader)))
        for name, reader in readers.items()
    }
    while True:
        first = chance.pick(RECORDED)
        body = mutators[first].body()
        for name in (first, chance.pick(RECORDED), chance.pick(RECORDED)):
            yield name, body, partial(_read, readers[name], body)


def _read(driver: BaseDriver, body: bytes) -> None:
    try:
        _check(driver.parse(body))
    finally:
        assert 0 <= driver.fits(document.read(body)) <= 100


def _to_detection(seed: str) -> Iterator[Input]:
    mutator = Mutator(seed, _all_bodies())
    while True:
        body = mutator.body()
        yield "detection", body, partial(_detect, body)


def _detect(body: bytes) -> None:
    assert detect(body) in RECORDED


def _to_mappings(seed: str) -> Iterator[Input]:
    mutator, mappings = Mutator(seed, _all_bodies()), [checked(given) for given in MAPPINGS]
    while True:
        mapping, body = mutator.pick(mappings), mutator.body()
        yield f"the mapping {mapping}", body, partial(_map, mapping, body)


def _map(mapping: Mapping, body: bytes) -> None:
    _check(mapping.read(document.read(body)))


def _to_protocols(seed: str) -> Iterator[Input]:
    chance, asked = Mutator(seed), {name: apis.get(name)() for name in PROTOCOLS}
    mutators = {
        name: Mutator(f"{seed} {name}", _asked(name), words_of(type(api))) for name, api in asked.items()
    }
    mutators |= {name: Mutator(f"{seed} {name}", _asked(name)) for name in APART}
    names = [*mutators]
    while True:
        name = chance.pick(names)
        body = mutators[name].body()
        if name in APART:
            yield name, body, partial(_post, body)
        else:
            way = chance.pick(sent(name))
            path = f"{way.path.partition('?')[0]}?{_query(chance)}" if chance.once_in(3) else way.path
            post = Post(path, body, way.method, way.headers)
            yield name, post, partial(_ask, asked[name], post, chance.pick((None, {}, *MAPPINGS)))


def _post(body: bytes) -> None:
    _check(alertmanager.read(body, NOW, timedelta(minutes=5)))


def _ask(api: BaseApi, post: Post, mapping: dict[str, Any] | None) -> None:
    """As the door does."""
    request = post.to(api)
    request.mapping = mapping
    assert isinstance(api.key(request), str)
    try:
        reading = api.read(request)
        _check(reading)
        kept = keep_good(reading)
        if kept.errors and not kept.alerts:
            raise Rejected(kept.errors[0].message)
        answer, expected = api.accepted(request, kept, "trace"), range(200, 300)
    except Rejected as refusal:
        assert str(refusal)
        answer, expected = (
            api.refused(request, Refusal(400, "payload", str(refusal), "trace")),
            range(400, 500),
        )
    assert answer.status in expected
    msgspec.json.encode(answer.content)


def _query(chance: Mutator) -> str:
    names = ("identifierType", "apiKey", "status", "msg", "ping", chance.text())
    return urlencode({chance.pick(names): chance.text() for _ in range(3)}, errors="replace")


def _to_mail(seed: str) -> Iterator[Input]:
    mutator = Mutator(seed, MAILS, MAIL_WORDS)
    while True:
        body = mutator.body()
        yield "mail", body, partial(_take_mail, body)


def _take_mail(body: bytes) -> None:
    reading = mail.read(body)
    _check(reading)
    assert keep_good(reading).errors == []


def _to_zigbee2mqtt(seed: str) -> Iterator[Input]:
    chance, reader = Mutator(seed), Reader("home")
    mutators = {place: Mutator(f"{seed} {place}", told) for place, *told in PUBLISHED}
    while True:
        place, *_ = chance.pick(PUBLISHED)
        topic, body = f"home/{place}", mutators[place].body()
        yield topic, body, partial(_publish, reader, topic, body)


def _publish(reader: Reader, topic: str, body: bytes) -> None:
    events = [*reader.read(topic, body, False, NOW), *reader.overdue(NOW + timedelta(minutes=5))]
    _check(Reading(events))
    assert keep_good(Reading(events)).errors == []


def _requests(seed: str) -> Iterator[Request]:
    mutator = Mutator(seed, _all_bodies())
    ways = [(way.path, way.method, way.headers) for name in PROTOCOLS for way in sent(name)]
    ways += (
        [(f"{ANY}{name}/", "POST", {}) for name in RECORDED]
        + [(API, "POST", {})] * 5
        + [(ANY, "POST", {})] * 5
    )
    while True:
        path, method, headers = mutator.pick(ways)
        yield Request(path, [mutator.body()], method, {**headers, **mutator.pick(HEADERS)})


@cache
def _all_bodies() -> list[bytes]:
    return [body for name in RECORDED for body in _bodies(name)]


@cache
def _asked(name: str) -> list[bytes]:
    """What a protocol was recorded with; some take every tool's payload."""
    recorded = [_payload(golden) for golden in APIS if golden.parent.name == name]
    return recorded * 20 + (_all_bodies() if name in ("source", "oncall", "cloudevents") else [])


INPUTS_OF: Final[dict[str, Callable[[str], Iterator[Input]]]] = {
    "drivers": _to_drivers,
    "detection": _to_detection,
    "protocols": _to_protocols,
    "mappings": _to_mappings,
    "mails": _to_mail,
    "zigbee2mqtt": _to_zigbee2mqtt,
}
