"""What sites differ in: an array at another SSH port is out of reach until somebody says so, for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import succeeded
from tests.lab.reachability import wait_until
from tests.soak import IN_SOAK
from tools.lab import denials
from tools.lab.kubelet import Kubelet
from tools.lab.product import CONFIGURATION
from tools.lab.topology import MANAGEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.selinux.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800), IN_SOAK]
LIMIT = 60  # seconds for a command in an emulated machine
KEPT = 300  # seconds for a setting that is kept: the policy is made anew
BOOLEAN = "instorage_any_ssh_port"
ADDRESS, PORT = next(iter(MANAGEMENT)), 10022
REFUSED = "allow instorage_agent_t unreserved_port_t:tcp_socket name_connect;"
DENIED = (REFUSED,)
COUNTED = f"{{ {denials.SHOW}; }} | grep -c 'denied .*name_connect.* dest={PORT} '; true"
# The array listens at 22 all the same: what is asked is which port the agent may connect to.
FORWARD = f"""
nft add table ip lab
nft add chain ip lab out '{{ type nat hook output priority -100; }}'
nft add rule ip lab out ip daddr {ADDRESS} tcp dport {PORT} dnat to {ADDRESS}:22
"""


@pytest.fixture
def moved(enforced: Product) -> Iterator[Machine]:
    """The node, whose configuration has the array at another port."""
    node = enforced.machine
    node.run(FORWARD, LIMIT)
    node.run(f"sed -i 's/{ADDRESS}:22/{ADDRESS}:{PORT}/' {CONFIGURATION}", LIMIT)
    assert f":{PORT}" in node.read(CONFIGURATION).decode()
    yield node
    node.run("nft delete table ip lab", LIMIT)
    enforced.configure()


@pytest.fixture
def switched_back(moved: Machine) -> Iterator[None]:
    yield
    moved.run(f"setsebool -P {BOOLEAN} off", KEPT)


@pytest.fixture
def taken_back(moved: Machine) -> Iterator[None]:
    yield
    moved.run(f"semanage port -d -p tcp {PORT}", KEPT)


def refused(kubelet: Kubelet) -> None:
    """Fail unless the array is out of reach, and that by what SELinux denies."""
    node = kubelet.machine
    before = node.run(COUNTED, LIMIT).stdout
    assert not kubelet.call("waitforattach").success
    wait_until(lambda: int(node.run(COUNTED, LIMIT).stdout) > int(before), LIMIT)
    assert REFUSED in denials.of(node)


@pytest.mark.usefixtures("switched_back")
def test_an_array_at_another_ssh_port_is_reached_with_the_boolean_which_stays_in_the_list_of_what_is_local(
    moved: Machine, make_volume: MakeVolume
) -> None:
    kubelet = Kubelet(moved, make_volume())
    refused(kubelet)
    moved.run(f"setsebool -P {BOOLEAN} on", KEPT)
    assert moved.run(f"getsebool {BOOLEAN}", LIMIT).stdout.split() == [BOOLEAN, "-->", "on"]
    assert f"boolean -m -1 {BOOLEAN}" in moved.run("semanage boolean -E", KEPT).stdout.splitlines()
    succeeded(kubelet.start_pod())
    succeeded(kubelet.end_pod())


@pytest.mark.usefixtures("taken_back")
def test_an_array_at_a_port_that_is_named_as_one_of_ssh_is_reached_without_the_boolean(
    moved: Machine, make_volume: MakeVolume
) -> None:
    kubelet = Kubelet(moved, make_volume())
    assert moved.run(f"getsebool {BOOLEAN}", LIMIT).stdout.split() == [BOOLEAN, "-->", "off"]
    refused(kubelet)
    moved.run("grep -qs '^tcp' /etc/protocols || echo 'tcp 6 TCP' >>/etc/protocols")  # as netbase has it
    moved.run(f"semanage port -a -t ssh_port_t -p tcp {PORT}", KEPT)
    local = moved.run("semanage port -l -C -n", KEPT).stdout
    assert local.split() == ["ssh_port_t", "tcp", f"{PORT}"]
    succeeded(kubelet.start_pod())
    succeeded(kubelet.end_pod())
