"""`instoragectl release` on a simulated array: only what the array says is safe, or the administrator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.model import Initiator, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes, Iqn
from simulator.array import Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
IQN = "iqn.1993-08.org.debian:01:abc"


class Site:
    """An array with volume vol-1 mapped to node1's host object."""

    def __init__(self, directory: Path, array: Simulator) -> None:
        self.directory, self.array = directory, array
        host, _, port = array.address.rpartition(":")
        endpoint = Endpoint("storage-01", host, int(port), "superuser", lambda: "passw0rd")
        client = As18000(endpoint, directory / "known_hosts")
        client.create_volume(VolumeSpec(VolumeName("vol-1"), Bytes(1 << 30), ("Pool0",)))
        client.ensure_host(Initiator(Iqn(IQN)), link="iscsi", names=("iscsi-node1",), site="1")
        client.map_volume(VolumeName("vol-1"), "iscsi-node1")
        client.close()

    def release(self, *arguments: str) -> tuple[int, str]:
        return self.ctl("release", *arguments)

    def ctl(self, *arguments: str) -> tuple[int, str]:
        """Run `instoragectl`; return its exit status and what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "nodeagent.administration.ctl", *arguments],
            cwd=ROOT,
            env={
                "INSTORAGE_CONFIG": str(self.directory / "config/instorage.yaml"),
                "STATE_DIRECTORY": str(self.directory / "state"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
            check=False,
        )
        return done.returncode, done.stdout

    def maps(self) -> list[str]:
        rows = self.array.control.do("volumes")
        return [mapping["host"] for row in rows for mapping in row["maps"]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    for name in ("config", "state"):
        (tmp_path / name).mkdir()
    with Simulator(Settings(tmp_path / "array", tmp_path / "control")) as array:
        (tmp_path / "config/instorage.yaml").write_text(
            "host: {link: iscsi, nodeName: node9}\nstorage:\n- name: storage-01\n  type: AS18000\n"
            f"  host: {array.address}\n  username: superuser\n  password: passw0rd\n"
        )
        yield Site(tmp_path, array)


def test_a_dead_nodes_mapping_is_removed_and_removed_is_said_again(site: Site) -> None:
    status, said = site.release("vol-1", "--from", "node1")
    assert (status, site.maps()) == (0, [])
    assert said == (
        "Array storage-01 no longer maps vol-1 to node1 (host iscsi-node1): the node is fenced from it.\n"
    )
    status, said = site.release("vol-1", "--from", "node1")
    assert status == 0
    assert said.endswith("does not map vol-1 to node1 (iscsi-node1); it is mapped to no host.\n")


def test_a_living_node_keeps_its_volume_unless_the_administrator_says_so(site: Site) -> None:
    site.array.control.do("logins", port=IQN, nodes=[1])
    status, said = site.release("vol-1", "--from", "node1")
    assert (status, site.maps()) == (1, ["iscsi-node1"])
    assert "its host object iscsi-node1 is logged in, so the node lives" in said
    assert "--although-logged-in" in said
    status, _ = site.release("vol-1", "--from", "node1", "--although-logged-in")
    assert (status, site.maps()) == (0, [])


def test_another_nodes_mapping_is_named_and_left(site: Site) -> None:
    status, said = site.release("vol-1", "--from", "node2")
    assert (status, site.maps()) == (0, ["iscsi-node1"])
    assert (
        "does not map vol-1 to node2 (iscsi-node2); it is mapped to iscsi-node1. If that is node2's" in said
    )


def test_a_volume_that_is_nowhere_is_said(site: Site) -> None:
    status, said = site.release("vol-9", "--from", "node1")
    assert (status, site.maps()) == (1, ["iscsi-node1"])
    assert said.startswith("instoragectl: No volume vol-9 is on storage-01")
