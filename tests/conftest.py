"""Fixtures that all tests share."""

from collections.abc import Iterator

import pytest

from tests.fakes.receiver import Receiver
from tests.fakes.receiver import receiver as local_receiver
from tests.world import World


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with local_receiver() as found:
        yield found


@pytest.fixture
def world(transactional_db: None, receiver: Receiver) -> World:
    return World(receiver)
