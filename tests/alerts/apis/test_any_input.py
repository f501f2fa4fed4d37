"""Whatever is sent to a protocol gives alerts or a clear refusal."""

import time
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.alerts.apis.posts import Post
from tests.asgi import Request
from tests.doorway import Doorway
from tocsin.alerts.apis import APART, apis
from tocsin.alerts.intake.door import LONGEST_PATH
from tocsin.alerts.intake.limits import keep_good
from tocsin.core.errors import Rejected

RECORDED: Final = Path(__file__).parents[2] / "fixtures" / "apis"


class Sent(msgspec.Struct):
    """How a recorded payload was sent."""

    path: str
    method: str = "POST"
    headers: dict[str, str] = {}


@cache
def sent(name: str) -> list[Sent]:
    """Each way in which a protocol's recorded payloads were sent."""
    recorded = sorted((RECORDED / name).glob("*.events.json"))
    return [msgspec.json.decode(golden.read_bytes(), type=Sent) for golden in recorded]


SAID: Final = (
    "routing_key dedup_key event_action trigger resolve payload summary source severity timestamp links href "
    "custom_details service_key event_type incident_key description message alias priority tags details "
    "entity message_type CRITICAL RECOVERY entity_id state_start_time alert_uid title state alerts labels "
    "specversion id type data data_base64 time critical P1 ok"
)
WORDS: Final = SAID.split()
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS)
    | st.text()
)
payloads = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=8)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", [name for name in apis.names() if name not in APART])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payload=payloads, raw=st.none() | st.binary(max_size=40))
def test_any_input_is_read_or_refused(name: str, payload: object, raw: bytes | None) -> None:
    try:
        body = raw if raw is not None else msgspec.json.encode(payload)
    except UnicodeEncodeError:  # half a surrogate pair
        return
    api = apis.get(name)()
    for way in sent(name):
        post = Post(way.path, body, way.method, way.headers)
        api.key(post.to(api))
        try:
            keep_good(post.read(api))
        except Rejected as error:
            assert str(error)


@pytest.mark.parametrize(
    "piece", ["/v2/alerts", "/a", "/integrations/generic/x/alert/", "/integrations/v1/x"]
)
def test_a_long_path_costs_the_door_nothing(door: Doorway, piece: str) -> None:
    began = time.perf_counter()
    for path in (piece * 6_000, (piece * 200)[: LONGEST_PATH - 2] + "\n!"):
        assert not door.door.matches(Request(path).scope())
    assert time.perf_counter() - began < 1
