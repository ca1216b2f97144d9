"""Fibre Channel in the lab: two fabrics, in each one port of every node and one of both canisters.

So a node's two adapters see two target ports each, and a volume has four paths. The ports are software (FCoE,
point to multipoint), with the kernel's own fc_host entries; they are made when a test wants them, in seconds,
and cost nobody else anything. WWPNs are 2000 and the MAC (fc/labfc).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.dataplane.plane import FcTarget
from tools.lab.progress import to_stderr
from tools.lab.san import San
from tools.lab.target_module import target_module
from tools.lab.topology import ARRAY, NODES, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.lab.lab import Lab

LABFC: Final = Path(__file__).with_name("fc") / "labfc"
FABRICS: Final = (0, 1)
TARGETS: Final = {node: tuple(f"200002000000F{node}{fabric + 1:02}" for fabric in FABRICS) for node in (1, 2)}
"""The WWPNs of each canister's ports, by its node id on the array: one in each fabric."""
ZONE: Final = tuple(wwpn for name in NODES for wwpn in ROLES[name].wwpns)
PORTS: Final = tuple(
    FcTarget(node, wwpn, optimized=node == 1, zone=ZONE) for node, wwpns in TARGETS.items() for wwpn in wwpns
)
"""What a data plane is opened with."""
OPTIONS: Final = (
    *(f"--fc-port={port.node}={port.wwpn}" for port in PORTS),
    f"--zone={','.join(ZONE)}",
)
"""What the simulator is started with."""
MAKE_LIMIT: Final = 120  # seconds: a dozen modules, from the disk
LOGIN_LIMIT: Final = 60
# An initiator: each of its ports has every target of its fabric.
LOGGED_IN: Final = f"""
deadline=$(($(date +%s) + {LOGIN_LIMIT}))
until [ "$(grep -l Target /sys/class/fc_remote_ports/*/roles 2>/dev/null | wc -l)" = {len(PORTS)} ]; do
    [ "$(date +%s)" -lt $deadline ] || {{ grep . /sys/class/fc_remote_ports/*/roles; exit 1; }}
    sleep 0.1
done
"""


@contextmanager
def san_over(link: str, lab: Lab, *options: str, nodes: Sequence[str] = ("a",)) -> Iterator[San]:
    """Run an array that nodes reach over a link: `iscsi`, or `fc`, to which the named ones are logged in."""
    if link == "iscsi":
        with San(lab, *options) as san:
            yield san
        return
    make(lab, nodes)
    with San(lab, *OPTIONS, *options) as san:
        plug_in(lab, nodes)
        yield san


def make(lab: Lab, nodes: Sequence[str] = ("a",)) -> None:
    """Make the array's ports and the nodes', their links down: the data plane must be opened first."""
    module = target_module(to_stderr).read_bytes()
    lab.start(ARRAY, *nodes)
    lab.array.put("/usr/local/lib/tcm_fc.ko", module)
    for name in (ARRAY, *nodes):
        lab.machine(name).put("/usr/local/sbin/labfc", LABFC.read_bytes(), 0o755)
    _side_by_side(lab, (ARRAY, *nodes), "labfc make")


def plug_in(lab: Lab, nodes: Sequence[str] = ("a",)) -> None:
    """Bring the links up and wait until the nodes are logged in; after a node's reboot they are up again."""
    _side_by_side(lab, (ARRAY, *nodes), "labfc up")
    _side_by_side(lab, nodes, f"touch /etc/labfc\n{LOGGED_IN}")


def _side_by_side(lab: Lab, names: Sequence[str], command: str) -> None:
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: lab.machine(name).run(command, MAKE_LIMIT), names))
