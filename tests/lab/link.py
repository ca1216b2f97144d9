"""The data link by which a lab's node has its volumes: the same tests run over iSCSI and over Fibre Channel.

The fixture `link` is its name, as `host.link` of the configuration has it. `LINK` in the environment says
which one is meant where a module does not ask for both.
"""

from __future__ import annotations

import os

import pytest

from tests.soak import IN_SOAK, NOT_SEEN

USUAL = os.environ.get("LINK") or "iscsi"
WIRES = {"iscsi": ("iscsi0", "iscsi1"), "fc": ("fc0", "fc1")}
"""The node's cables."""
PATHS = {"iscsi": 2, "fc": 4}
"""How many a volume has."""


def over(*daily: str) -> pytest.MarkDecorator:
    """Run a module's tests over both links: every day over those that are named, in `make soak` over all.

    Over FC the whole product has not been seen in the lab yet: that asks for `UNSEEN=1` besides.
    """
    marks = {name: [] if name in daily else [IN_SOAK] for name in WIRES}
    marks["fc"].append(NOT_SEEN)
    params = [pytest.param(name, marks=marks[name]) for name in WIRES]
    return pytest.mark.parametrize("link", params, indirect=True, scope="module")
