"""`instoragectl release` from a node with two host objects, and from one whose logins come back."""

from __future__ import annotations

import threading
import time

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.model import Initiator, Level, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes, Iqn
from tests.ext.test_release import IQN, Site, site

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
__all__ = ["site"]
OTHER_IQN = "iqn.1993-08.org.debian:01:other"


def use(site: Site) -> As18000:
    host, _, port = site.array.address.rpartition(":")
    endpoint = Endpoint("storage-01", host, int(port), "superuser", lambda: "passw0rd")
    return As18000(endpoint, site.directory / "known_hosts")


@pytest.fixture
def twice(site: Site) -> Site:
    """The volume is mapped to the node by the rule's host object and by that of the table."""
    client = use(site)
    client.ensure_host(Initiator(Iqn(OTHER_IQN)), link="iscsi", names=("esx-17",))
    client.map_volume(VolumeName("vol-1"), "esx-17", share=True)
    client.close()
    path = site.directory / "config/instorage.yaml"
    path.write_text(path.read_text().replace("nodeName: node9", "nodeName: node9, objects: {node1: esx-17}"))
    return site


def test_a_node_that_lives_by_its_other_host_object_keeps_both(twice: Site) -> None:
    twice.array.control.do("logins", port=OTHER_IQN, nodes=[1])
    status, said = twice.release("vol-1", "--from", "node1")
    assert (status, sorted(twice.maps())) == (1, ["esx-17", "iscsi-node1"])
    assert "esx-17 is logged in" in said


def test_what_is_left_is_said_when_the_second_cannot_be_removed(twice: Site) -> None:
    twice.array.control.do("fault", command="rmvdiskhostmap", skip=1, error="CMMVC5982E")
    status, said = twice.release("vol-1", "--from", "node1")
    assert (status, len(twice.maps())) == (1, 1)
    (left,) = twice.maps()
    assert f"may still map vol-1 to {left}: repeat this" in said
    assert "is fenced" not in said


def test_a_node_that_is_logged_in_again_after_a_moment_keeps_its_volume(site: Site) -> None:
    def come_back() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if any(entry["name"] == "lshost" for entry in site.array.control.do("log")):
                site.array.control.do("logins", port=IQN, nodes=[1])
                return
            time.sleep(0.05)

    site.array.control.do("reset-counters")
    watching = threading.Thread(target=come_back)
    watching.start()
    status, said = site.release("vol-1", "--from", "node1")
    watching.join()
    assert (status, site.maps()) == (1, ["iscsi-node1"])
    assert "iscsi-node1 is logged in" in said


def test_that_a_volume_may_be_half_of_one_is_said_with_its_release(site: Site) -> None:
    client = use(site)
    spec = VolumeSpec(VolumeName("pair"), Bytes(1 << 30), ("Pool0", "Pool1"), Level.ACTIVE_ACTIVE, ("0", "1"))
    client.create_volume(spec)
    client.map_volume(VolumeName("pair"), "iscsi-node1")
    (name,) = {row["name"] for row in client._cli.rows("lsrcrelationship")}
    client._cli.operate("rmrcrelationship", name)
    client.close()
    status, said = site.release("pair", "--from", "node1")
    assert (status, site.maps()) == (0, ["iscsi-node1"]), "vol-1 keeps its mapping"
    assert "Volume pair on array storage-01: it may be the master of an active-active volume" in said
