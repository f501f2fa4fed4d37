from collections.abc import Iterator

import pytest

from tests.doorway import Doorway, doorway


@pytest.fixture
def door(transactional_db: None) -> Iterator[Doorway]:
    with doorway() as way:
        yield way
