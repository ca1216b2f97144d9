"""`instoragectl arrays` over Fibre Channel: the line that an administrator's host object needs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from nodeagent.administration import arrays, zoned_object
from tests.ext.test_release import Site, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["site"]
A, FOREIGN = "2100000E1E30ACFC", "21000024FF3A0001"


@pytest.fixture
def zoned(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[As18000]:
    """A configuration over Fibre Channel, one adapter that is logged in, a client of the array."""
    at = tmp_path / "sys/class/fc_host/host3"
    at.mkdir(parents=True)
    (at / "port_name").write_text(f"0x{A}\n")
    (at / "port_state").write_text("Online\n")
    monkeypatch.setattr(zoned_object, "SYSFS", tmp_path / "sys")
    monkeypatch.setattr(arrays, "leave_root", lambda _: None)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    path = tmp_path / "config/instorage.yaml"
    text = "\n".join(line for line in path.read_text().splitlines() if "link:" not in line)
    head = "host:\n  link: fc\n  nodeName: node1\n"
    body = text.partition("storage:")[2]
    path.write_text(f"{head}storage:{body}\n")
    site.array.control.do("logins", port=A, nodes=[1])
    port = int(site.array.address.rpartition(":")[2])
    client = As18000(
        Endpoint("storage-01", "127.0.0.1", port, "superuser", lambda: "passw0rd"), tmp_path / "known"
    )
    yield client
    client.close()


def report(directory: Path) -> str:
    given = argparse.Namespace(config=directory / "config/instorage.yaml")
    return "\n".join(arrays.run(given).lines)


def test_the_line_for_the_table_is_proposed(zoned: As18000, tmp_path: Path) -> None:
    zoned._cli.operate("mkhost", "-force", "-hbawwpn", A, "-name", "K8S_NODE_3")
    assert "host.objects: {node1: K8S_NODE_3}" in report(tmp_path)


def test_nothing_is_proposed_for_an_object_under_a_name_of_ours(zoned: As18000, tmp_path: Path) -> None:
    zoned._cli.operate("mkhost", "-force", "-hbawwpn", A, "-name", "fc-node1")
    assert "host.objects" not in report(tmp_path)


def test_an_object_with_another_machines_port_is_told(zoned: As18000, tmp_path: Path) -> None:
    zoned._cli.operate("mkhost", "-force", "-hbawwpn", f"{A}:{FOREIGN}", "-name", "cluster")
    said = report(tmp_path)
    assert "host.objects" not in said
    assert f"of another ({FOREIGN.lower()}), and is not used" in said


def test_without_an_object_it_is_told_which_one_will_be_made(zoned: As18000, tmp_path: Path) -> None:
    del zoned
    assert "the first volume makes one (fc-node1)" in report(tmp_path)
