"""An administrator's own logins, as docs/hosts.md has them for an open-iscsi that brings every LUN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.commands import all_commands
from tests.lab.load import succeeded
from tests.lab.reachability import wait_until
from tests.soak import IN_SOAK
from tools.lab.kubelet import Kubelet
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.san import San

pytestmark = [
    *(pytest.mark.lab, pytest.mark.timeout(900), IN_SOAK),
    pytest.mark.usefixtures("iscsi_only"),
]
LIMIT = 120  # seconds for a command in an emulated machine
OF_THE_PAGE = "10.0.0.10"
NOTHING = (
    "iscsiadm -m node -U all; iscsiadm -m node -o delete; udevadm settle -t 20; rm -rf /run/instorage/portals"
)


@pytest.fixture
def logged_out(node: Machine, node_is_left_clean: None) -> Iterator[Machine]:
    """The node, whose sessions and records all go in the end."""
    yield node
    node.run(NOTHING, LIMIT, check=False)


@pytest.fixture
def mapped_besides(
    logged_out: Machine, san: San, make_volume: MakeVolume
) -> Iterator[Callable[[], list[str]]]:
    """The node's disks of a volume that somebody maps to it and nobody asks for; nothing is logged in."""
    pod = Kubelet(logged_out, make_volume())
    succeeded([pod.call("waitforattach"), pod.call("unmountdevice")])  # by which it has its host object
    logged_out.run(NOTHING, LIMIT, check=False)
    assert logged_out.run("iscsiadm -m session", check=False).exit_status
    volume = make_volume()
    (host,) = (one["name"] for one in san.control.do("hosts"))
    san.command(f"mcsop mkvdiskhostmap -host {host} -scsi 200 {volume}")
    yield lambda: logged_out.run("ls -d /sys/class/scsi_device/*:200", check=False).stdout.split()
    logged_out.run(NOTHING, LIMIT, check=False)
    san.command(f"mcsop rmvdiskhostmap -host {host} {volume}")


def records(node: Machine) -> list[str]:
    """What becomes of each portal's session at a boot."""
    shown = [node.run(f"iscsiadm -m node -p {portal}", LIMIT).stdout for portal in PORTALS]
    return [line for text in shown for line in text.splitlines() if line.startswith("node.startup")]


def test_sessions_that_an_administrator_made_are_used_and_what_they_bring_besides_is_left_alone(
    logged_out: Machine, mapped_besides: Callable[[], list[str]], make_volume: MakeVolume
) -> None:
    node = logged_out
    lines = [line for line in all_commands() if f"-p {OF_THE_PAGE}:3260" in line]
    assert len(lines) == 3
    for line in lines:  # for all portals each: a discovery sets back what an earlier one's records say
        for portal in PORTALS:
            node.run(line.replace(OF_THE_PAGE, portal), LIMIT)
    made = node.run("iscsiadm -m session").stdout
    assert sorted(portal for portal in PORTALS if f" {portal}:3260," in made) == sorted(PORTALS)
    assert records(node) == ["node.startup = automatic"] * len(PORTALS)
    wait_until(lambda: len(mapped_besides()) == len(PORTALS), 60)
    disks = mapped_besides()
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    assert node.run("iscsiadm -m session").stdout == made, "no session but his, and his are the same ones"
    assert node.run("multipath -ll").stdout.count("active ready running") == len(PORTALS)
    succeeded(pod.end_pod())
    assert node.run("iscsiadm -m session").stdout == made
    assert records(node) == ["node.startup = automatic"] * len(PORTALS)
    assert mapped_besides() == disks
