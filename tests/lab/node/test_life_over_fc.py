"""The whole product over Fibre Channel, every day: one of test_life's tests again, with four paths.

In `make soak` all of them run over both links, and with `LINK` over the one that is named.
"""

from __future__ import annotations

import pytest

from tests.lab.link import ASKED
from tests.lab.node.test_life import (
    test_data_is_there_again_for_the_next_pod as test_data_is_there_again_for_the_next_pod,
)
from tests.soak import WHOLE

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(WHOLE or bool(ASKED), reason="in tests/lab/node/test_life.py"),
]


@pytest.fixture(scope="module")
def link() -> str:
    """The link of this module's product."""
    return "fc"
