"""The data link by which a lab's node has its volumes: the same tests run over iSCSI and over Fibre Channel.

The fixture `link` is its name, as `host.link` of the configuration has it. `LINK` in the environment says
which one alone is meant: every day's choice over Fibre Channel is `LINK=fc make test-lab`.
"""

from __future__ import annotations

import os

import pytest

from tests.soak import IN_SOAK

ASKED = os.environ.get("LINK", "")
USUAL = ASKED or "iscsi"
WIRES = {"iscsi": ("iscsi0", "iscsi1"), "fc": ("fc0", "fc1")}
"""The node's cables."""
PATHS = {"iscsi": 2, "fc": 4}
"""How many a volume has."""
WORKS = "active +ready +running"
"""What `multipath -ll` says of a path that works; words are as wide as the longest of their column."""
SHOWN = {"iscsi": 0.0, "fc": 30.0}
"""Seconds for a cable to have the array's ports again, which is before a path can be back.

The lab's fabric has no switch that says who is there: a port shows itself every 8 s (FIP_VN_BEACON_INT,
drivers/scsi/fcoe/fcoe_ctlr.c), and the initiator, which claims its own number first, logs in then.
"""


def over(*daily: str) -> pytest.MarkDecorator:
    """Run a module's tests over both links: every day over those that are named, in `make soak` over all."""
    meant = (ASKED,) if ASKED else daily
    marks = {name: [] if name in meant else [IN_SOAK] for name in WIRES}
    for name in WIRES:
        if ASKED not in ("", name):
            marks[name].append(pytest.mark.skip(reason=f"LINK={ASKED}"))
    params = [pytest.param(name, marks=marks[name]) for name in WIRES]
    return pytest.mark.parametrize("link", params, indirect=True, scope="module")
