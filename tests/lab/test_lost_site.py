"""A whole site dies under a pod: `make demo-aa`, which says itself what must be true at each point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.soak import WHOLE
from tools.demo import sites

if TYPE_CHECKING:
    from tools.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not WHOLE, reason="in make soak; every day without machines, in tests/agent"),
]


def test_a_pod_goes_on_at_the_other_site_with_every_committed_row_and_over_both_when_it_is_back(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    sites.run(lab)
    told = capsys.readouterr().out
    print(told)
    assert told.count("every committed row is there") == 3
