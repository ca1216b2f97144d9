"""The whole product over Fibre Channel, every day: the shortest of test_life's with a mount, four paths.

In `make soak` all of them run over both links, and with `LINK` over the one that is named.
"""

from __future__ import annotations

import pytest

from tests.lab.link import ASKED
from tests.lab.node import test_life
from tests.soak import WHOLE

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(WHOLE or bool(ASKED), reason="in tests/lab/node/test_life.py"),
]

test_every_path_carries_the_volume = (
    test_life.test_every_path_carries_the_volume_under_debians_default_find_multipaths_strict
)


@pytest.fixture(scope="module")
def link() -> str:
    """The link of this module's product."""
    return "fc"
