"""The data link by which a lab's node has its volumes: the same tests run over iSCSI and over Fibre Channel.

`LINK` in the environment says which one is meant where a module does not ask for both.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.soak import IN_SOAK, NOT_SEEN
from tools.lab import fibre_channel
from tools.lab.product import host_settings
from tools.lab.san import San
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.dataplane.remote import RemoteDataPlane
    from tools.lab import Lab, Machine

USUAL = os.environ.get("LINK", "iscsi")


@dataclass(frozen=True)
class Link:
    """`wires`: the node's cables of this link; `paths`: how many a volume has."""

    name: str
    wires: tuple[str, str]
    paths: int

    @property
    def host(self) -> dict[str, Any]:
        """The `host` section of the product's configuration."""
        return host_settings(self.name)

    @contextmanager
    def san(self, lab: Lab, *options: str) -> Iterator[San]:
        """An array that this link leads to, beside node a."""
        with fibre_channel.fc_san(lab, *options) if self.name == "fc" else San(lab, *options) as san:
            yield san

    def initiators(self, node: Machine) -> tuple[str, ...]:
        """The names under which the array knows a node."""
        return node.role.wwpns if self.name == "fc" else (node.role.initiator,)

    def asked(self, targets: tuple[str, ...], lun: int) -> dict[str, Any]:
        """The paths to a LUN as the Attach request has them; `targets` are the iSCSI names."""
        if self.name == "fc":
            return {"paths": [], "fc_paths": [{"target": p.wwpn, "lun": lun} for p in fibre_channel.PORTS]}
        both = zip((f"{address}:3260" for address in PORTALS), targets, strict=True)
        return {"paths": [{"portal": portal, "target": target, "lun": lun} for portal, target in both]}

    def plug_in(self, lab: Lab, plane: RemoteDataPlane) -> None:
        """Have a data plane without an array answer on this link, and node a see it."""
        if self.name == "fc":
            fibre_channel.make(lab)
            plane.open([], fibre_channel.PORTS)
            fibre_channel.plug_in(lab)


LINKS = {"iscsi": Link("iscsi", ("iscsi0", "iscsi1"), 2), "fc": Link("fc", ("fc0", "fc1"), 4)}


def over(*daily: str) -> pytest.MarkDecorator:
    """Run a module's tests over both links: every day over those that are named, in `make soak` over all.

    Over FC nothing has been seen in the lab yet: that asks for `UNSEEN=1` besides.
    """
    marks = {name: [] if name in daily else [IN_SOAK] for name in LINKS}
    marks["fc"].append(NOT_SEEN)
    params = [pytest.param(name, marks=marks[name]) for name in LINKS]
    return pytest.mark.parametrize("link", params, indirect=True, scope="module")
