"""A whole site lost and back, nodes and copies that fail, as the command line shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.control.client import ControlError
from simulator.model.topology import Topology
from tests.simulator.conftest import UNLIMITED
from tests.simulator.test_relationships import Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator
    from tests.simulator.conftest import Client

BOTH_SITES = Topology(portals={1: "10.9.0.1:3260", 3: "10.9.1.1:3260"})


@pytest.fixture
def pair(start: Callable[..., Simulator], connect: Callable[..., Client]) -> Pair:
    array = start(topology=BOTH_SITES, limits=UNLIMITED)
    return Pair(array, connect(array))


def column(pair: Pair, query: str, name: str) -> list[str]:
    return [row[name] for row in pair.ssh.rows(query)]


def test_a_lost_site_takes_its_nodes_pool_portals_and_vdisks(pair: Pair) -> None:
    pair.array.control.do("site", site=1, up=False)
    assert column(pair, "lsnode", "status") == ["offline", "offline", "online", "online"]
    assert column(pair, "lsnode", "config_node") == ["no", "no", "yes", "no"]
    assert column(pair, "lsmdiskgrp", "status") == ["offline", "online"]
    assert set(column(pair, "lsportip", "node_name")) == {"node3", "node4"}
    found = {row["function"]: row["status"] for row in pair.ssh.rows("lsvdisk")}
    assert found == {"master": "offline", "aux": "online", "master_change": "offline", "aux_change": "online"}


def test_a_volume_is_mapped_and_written_through_the_site_that_is_left(pair: Pair) -> None:
    pair.array.control.do("site", site=1, up=False)
    pair.do("rmvdiskhostmap -host h aa")
    pair.do("mkvdiskhostmap -host h aa")
    pair.write(", then the second site alone")
    assert pair.compare()["contents"] == ["first", "first, then the second site alone"]
    (row,) = pair.ssh.rows("lsrcrelationship")
    assert (row["state"], row["primary"], row["status"]) == ("consistent_copying", "aux", "secondary_offline")


def test_a_site_that_comes_back_is_synchronised_after_a_while(pair: Pair) -> None:
    pair.array.control.do("dialect", copy_seconds=3600)
    pair.array.control.do("site", site=1, up=False)
    pair.write(", second")
    pair.array.control.do("site", site=1, up=True)
    assert set(column(pair, "lsvdisk", "status")) == {"online"}
    assert pair.state() == "consistent_copying"
    assert not pair.compare()["equal"]
    pair.array.control.do("copied", volume="aa")
    assert pair.state() == "consistent_synchronized"
    assert pair.compare()["equal"]
    assert column(pair, "lsrcrelationship", "primary") == ["aux"]
    pair.do("switchrcrelationship -primary master 0")
    assert column(pair, "lsrcrelationship", "primary") == ["master"]


def test_copies_that_were_not_synchronised_are_served_by_no_site_without_the_primary(pair: Pair) -> None:
    pair.array.control.do("dialect", copy_seconds=3600)
    pair.array.control.do("replication", volume="aa", state="inconsistent_copying")
    pair.array.control.do("site", site=1, up=False)
    assert pair.state() == "inconsistent_disconnected"
    assert {row["status"] for row in pair.ssh.rows("lsvdisk") if row["function"] in ("master", "aux")} == {
        "offline"
    }
    with pytest.raises(ControlError, match="offline"):
        pair.write("never")
    pair.array.control.do("site", site=1, up=True)
    assert pair.state() == "inconsistent_copying"
    pair.write(", later")


def test_a_lost_site_stays_lost_when_the_array_is_started_anew(
    start: Callable[..., Simulator], connect: Callable[..., Client]
) -> None:
    array = start(topology=BOTH_SITES)
    array.control.do("site", site=2, up=False)
    array.stop()
    again = connect(start(topology=BOTH_SITES))
    assert [row["status"] for row in again.rows("lsnode")] == ["online", "online", "offline", "offline"]
    assert {row["node_name"] for row in again.rows("lsportip")} == {"node1", "node2"}


def test_a_mirror_with_a_lost_copy_is_degraded_and_a_node_that_fails_degrades_its_group(
    array: Simulator, ssh: Client
) -> None:
    ssh.good("mcsop mkvdisk -name m -size 1 -unit gb -copies 2 -mdiskgrp Pool0:Pool1 -iogrp 0")
    ssh.good("mcsop mkvdisk -name plain -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0")
    array.control.do("copy-status", volume="m", copy=1, status="offline", progress=40)
    assert {row["name"]: row["status"] for row in ssh.rows("lsvdisk")} == {"m": "degraded", "plain": "online"}
    copies = ssh.rows("lsvdiskcopy m")
    assert [(row["status"], row["sync"]) for row in copies] == [("online", "yes"), ("offline", "no")]
    assert [row["progress"] for row in ssh.rows("lsvdisksyncprogress m")] == ["100", "40"]
    assert [row["progress"] for row in ssh.rows("lsvdisksyncprogress plain")] == ["100"]
    array.control.do("node-status", node=2, status="service")
    assert [row["status"] for row in ssh.rows("lsvdisk")] == ["degraded", "degraded"]
    array.control.do("node-status", node=1, status="offline")
    assert [row["status"] for row in ssh.rows("lsvdisk")] == ["offline", "offline"]


@pytest.mark.parametrize(
    "order",
    [
        {"do": "site", "site": 3, "up": False},
        {"do": "node-status", "node": 9, "status": "offline"},
        {"do": "node-status", "node": 1, "status": "tired"},
        {"do": "copy-status", "volume": "none", "copy": 0},
    ],
)
def test_orders_about_what_is_not_there_are_refused(array: Simulator, order: dict[str, object]) -> None:
    fields = {key: value for key, value in order.items() if key != "do"}
    with pytest.raises(ControlError):
        array.control.do(str(order["do"]), **fields)
