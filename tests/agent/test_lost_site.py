"""An active-active volume on a node of the site that is left, while the other one is gone and comes back."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import targets
from instorage.arrays.endpoint import Limits
from nodeagent.host import portals
from tests.agent.bench import ACTIVE_ACTIVE, GIB, Bench, device_target, options
from tests.agent.conftest import ISCSI_PORT, loopback
from tests.agent.expanding import AA, VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODES = {1: 1, 2: 3}  # the node with a portal at each site
GONE = "the site of the master (vol1) is down"


@dataclass
class TwoSites(Bench):
    """A node that reaches one portal of each site, and an active-active volume that nobody has yet."""

    listeners: dict[int, socket.socket] = field(default_factory=dict)

    def site(self, site: int, *, up: bool) -> None:
        """Lose all of a site, or have it back."""
        self.do("site", site=site, up=up)
        portal = self.portals[NODES[site]].rpartition(":")[0]
        if up:
            self.listeners[site] = socket.create_server((portal, ISCSI_PORT))
        else:
            self.listeners[site].close()

    def used(self) -> set[str]:
        """The portals over which the volume was attached last."""
        return {path["portal"] for path in self.helper.last("Attach")["paths"]}


@pytest.fixture
def sites(directory: Path) -> Iterator[TwoSites]:
    listeners = {site: socket.create_server((loopback(), ISCSI_PORT)) for site in NODES}
    addresses = {NODES[site]: f"{one.getsockname()[0]}:{ISCSI_PORT}" for site, one in listeners.items()}
    made = TwoSites(directory, addresses, patience=Limits(spacing=0.05), listeners=listeners)
    made.start()
    made.create(VOLUME, **ACTIVE_ACTIVE)
    yield made
    made.close()
    for one in made.listeners.values():
        one.close()


def test_a_volume_is_attached_while_the_masters_site_is_down_and_says_so(sites: TwoSites) -> None:
    sites.site(1, up=False)
    reply = sites.attach(VOLUME, AA).success()
    assert GONE in reply.answer["message"]
    assert sites.used() == {sites.portals[3]}
    assert sites.maps(VOLUME) == ["iscsi-node1"]
    sites.mount_device(VOLUME, AA).success()
    sites.do("write", volume=VOLUME, data="written at the other site")


def test_the_remark_goes_when_the_site_is_back_and_both_sites_are_used_again(
    sites: TwoSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portals, "REMEMBERED_SECONDS", 0.0)
    monkeypatch.setattr(targets, "LACKING", 0.0)
    sites.restart(lambda: sites.site(1, up=False))  # it knows the portals of that time alone
    sites.use(VOLUME, AA)
    sites.do("write", volume=VOLUME, data="meanwhile")
    sites.site(1, up=True)
    assert "down" not in sites.attach(VOLUME, AA).success().answer.get("message", "")
    assert sites.used() == set(sites.portals.values())
    aux = next(row["name"] for row in sites.do("volumes") if row["function"] == "aux")
    assert sites.do("compare", volume=VOLUME, other=aux)["equal"]


def test_the_loss_of_the_other_site_is_said_as_well(sites: TwoSites) -> None:
    sites.site(2, up=False)
    assert "the site of the aux" in sites.attach(VOLUME, AA).success().answer["message"]


def test_a_volume_that_no_site_serves_is_refused(sites: TwoSites) -> None:
    sites.site(1, up=False)
    sites.site(2, up=False)
    sites.attach(VOLUME, AA).failure("is offline")
    assert sites.maps(VOLUME) == []


def test_it_does_not_grow_while_a_site_is_down_and_nothing_is_changed(sites: TwoSites) -> None:
    sites.site(1, up=False)
    sites.use(VOLUME, AA)
    sites.reset()
    said = sites.expandfs(VOLUME, 2 * GIB, text=AA).failure(GONE)
    assert "Nothing was changed" in said
    assert all(name.startswith("ls") for name in sites.commands())
    assert not sites.helper.barrier.exists()


def test_it_grows_when_the_site_is_back_and_the_relationship_runs_from_the_master(sites: TwoSites) -> None:
    sites.use(VOLUME, AA)
    sites.site(1, up=False)
    sites.site(1, up=True)
    sites.expandfs(VOLUME, 2 * GIB, text=AA).failure("switchrcrelationship -primary master")
    (relationship,) = sites.array._cli.rows("lsrcrelationship")
    sites.array._cli.operate("switchrcrelationship", "-primary", "master", relationship["name"])
    assert sites.expandfs(VOLUME, 2 * GIB, text=AA).success().answer["volumeNewSize"] == 2 * GIB


def test_a_volume_is_let_go_while_a_site_is_down(sites: TwoSites) -> None:
    sites.attach(VOLUME, AA).success()
    sites.mount_device(VOLUME, AA).success()
    sites.site(1, up=False)
    sites.call("unmountdevice", device_target(VOLUME)).success()
    assert sites.maps(VOLUME) == []


def test_a_volume_of_the_lost_site_alone_is_refused(sites: TwoSites) -> None:
    sites.create("plain")
    sites.site(1, up=False)
    sites.attach("plain", options("plain")).failure("is offline")
