"""What sites differ in: an array at another SSH port is out of reach, and with the boolean it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import succeeded
from tests.soak import in_turn
from tools.lab import denials
from tools.lab.kubelet import Kubelet
from tools.lab.product import CONFIGURATION
from tools.lab.topology import MANAGEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.selinux.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), in_turn(1, 2)]
LIMIT = 60  # seconds for a command in an emulated machine
BOOLEAN = "instorage_any_ssh_port"
ADDRESS, PORT = next(iter(MANAGEMENT)), 10022
REFUSED = "allow instorage_agent_t unreserved_port_t:tcp_socket name_connect;"
DENIED = (REFUSED,)
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
    yield node
    node.run(f"setsebool {BOOLEAN} off; nft delete table ip lab", LIMIT)
    enforced.configure()


def test_an_array_at_another_ssh_port_is_reached_with_the_boolean_alone(
    moved: Machine, make_volume: MakeVolume
) -> None:
    assert f":{PORT}" in moved.read(CONFIGURATION).decode()
    kubelet = Kubelet(moved, make_volume())
    assert not kubelet.call("waitforattach").success
    assert REFUSED in denials.of(moved)
    moved.run(f"setsebool {BOOLEAN} on", LIMIT)
    succeeded(kubelet.start_pod())
    succeeded(kubelet.end_pod())
