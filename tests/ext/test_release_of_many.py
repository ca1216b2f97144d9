"""`instoragectl release` with several arrays: each is asked, and what is meant is not guessed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.model import Initiator
from instorage.volume_name import VolumeName
from instorage.wire.values import Iqn
from simulator.array import Settings, Simulator
from tests.ext.test_release import IQN, Site, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["site"]
pytestmark = [pytest.mark.subprocess, pytest.mark.slow]


def configure(site: Site, **arrays: str) -> None:
    entries = "".join(
        f"- name: {name}\n  type: AS18000\n  host: {address}\n  username: superuser\n  password: passw0rd\n"
        for name, address in arrays.items()
    )
    path = site.directory / "config/instorage.yaml"
    path.write_text("host: {link: iscsi, nodeName: node9}\nstorage:\n" + entries)


@pytest.fixture
def twin(site: Site, tmp_path: Path) -> Iterator[Site]:
    """A second array that has a volume of that name, mapped to the same node."""
    (tmp_path / "twin").mkdir()
    with Simulator(Settings(tmp_path / "twin/array", tmp_path / "twin/control")) as array:
        yield Site(tmp_path / "twin", array)


def test_an_array_that_is_dead_does_not_hide_the_one_that_has_the_volume(site: Site) -> None:
    configure(site, dead="127.0.0.1:1", good=site.array.address)
    status, said = site.release("vol-1", "--from", "node1")
    assert (status, site.maps()) == (0, [])
    assert "Array dead was not asked" in said
    assert "Array good no longer maps vol-1 to node1" in said


def test_not_found_and_one_array_silent_is_no_word_that_there_is_none(site: Site) -> None:
    configure(site, dead="127.0.0.1:1", good=site.array.address)
    status, said = site.release("vol-9", "--from", "node1")
    assert status == 1
    assert "dead" in said
    assert "No volume" not in said


def test_where_two_arrays_have_the_name_the_administrator_says_which(site: Site, twin: Site) -> None:
    configure(site, one=site.array.address, two=twin.array.address)
    status, said = site.release("vol-1", "--from", "node1")
    assert (status, site.maps(), twin.maps()) == (1, ["iscsi-node1"], ["iscsi-node1"])
    assert "on one and two: say which one is meant (--storage NAME)" in said
    status, said = site.release("vol-1", "--from", "node1", "--storage", "two")
    assert (status, site.maps(), twin.maps()) == (0, ["iscsi-node1"], [])


def test_an_array_that_is_not_in_the_configuration_is_said(site: Site) -> None:
    status, said = site.release("vol-1", "--from", "node1", "--storage", "nowhere")
    assert (status, site.maps()) == (1, ["iscsi-node1"])
    assert "--storage nowhere" in said
    assert "storage-01" in said


def test_both_host_objects_of_the_node_lose_it(site: Site) -> None:
    """One by the rule for names, one by the table of the configuration."""
    host, _, port = site.array.address.rpartition(":")
    endpoint = Endpoint("storage-01", host, int(port), "superuser", lambda: "passw0rd")
    with contextlib.closing(As18000(endpoint, site.directory / "known_hosts")) as client:
        client.ensure_host(Initiator(Iqn(f"{IQN}2")), link="iscsi", names=("esx-17",))
        client.map_volume(VolumeName("vol-1"), "esx-17", share=True)
    path = site.directory / "config/instorage.yaml"
    path.write_text(path.read_text().replace("nodeName: node9", "nodeName: node9, objects: {node1: esx-17}"))
    status, said = site.release("vol-1", "--from", "node1")
    assert (status, site.maps()) == (0, [])
    assert "(host iscsi-node1)" in said
    assert "(host esx-17)" in said


def test_the_administrators_word_is_not_taken_for_a_namesake_while_an_array_is_silent(site: Site) -> None:
    configure(site, dead="127.0.0.1:1", good=site.array.address)
    site.array.control.do("logins", port=IQN, nodes=[1])
    arguments = ("vol-1", "--from", "node1", "--although-logged-in")
    status, said = site.release(*arguments)
    assert (status, site.maps()) == (1, ["iscsi-node1"])
    assert "not known whether array dead maps a volume vol-1 to node1 as well" in said
    assert "(--storage good, or dead). Nothing was changed." in said
    status, said = site.release(*arguments, "--storage", "good")
    assert (status, site.maps()) == (0, []), said
