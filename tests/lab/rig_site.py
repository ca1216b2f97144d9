"""Where a rig stands: the helper's units on node a, its client there, and a SAN over the rig's link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.dataplane.plane import Target
from simulator.dataplane.remote import RemoteDataPlane
from tests.lab.helper_rig import AS_AGENT, CALL_LIMIT, CLIENT, DEVICE_MOUNTS, POD, TARGETS, Rig
from tools.install import as_tar
from tools.lab.channel import Channel
from tools.lab.fibre_channel import PORTS, make, plug_in
from tools.lab.product import LABELLED, build_stub
from tools.lab.san import serve_dataplane
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from tools.lab import Lab, Machine

PORT = "helper.client"


def prepare(lab: Lab, link: str = "iscsi") -> Rig:
    """Install the product on node a, of which only the helper's socket is started; start the data plane."""
    lab.start("array", "a")
    node = lab.node("a")
    plane = _opened(lab, link)
    build_stub()
    node.put_tree("/", as_tar())
    node.put(CLIENT, (Path(__file__).parent / "helper_client.py").read_bytes())
    node.run(
        f"systemd-sysusers && systemd-tmpfiles --create && mkdir -p {DEVICE_MOUNTS} {POD} && "
        f"restorecon -R {LABELLED} && systemctl daemon-reload && systemctl restart instorage-helper.socket",
        timeout=120,
    )
    if link == "iscsi":
        warm(node)
    return Rig(node, plane, stand(node), link)


def _opened(lab: Lab, link: str) -> RemoteDataPlane:
    """Return the data plane with its targets, to which node a may log in, or over FC is logged in."""
    if link == "fc":
        make(lab)
    serve_dataplane(lab.array)
    plane = RemoteDataPlane(lab.array.dataplane_socket)
    if link == "fc":
        plane.open([], PORTS)
        plug_in(lab)
    else:
        plane.open([Target(n + 1, TARGETS[n], f"{PORTALS[n]}:3260", optimized=n == 0) for n in (0, 1)])
        plane.admit(lab.node("a").role.initiator)
    return plane


def warm(node: Machine) -> None:
    """Log in and out once: the first time in an emulated machine may take longer than the helper waits."""
    discoveries = "; ".join(f"iscsiadm -m discovery -t st -p {address}" for address in PORTALS)
    node.run(
        f"{discoveries}; iscsiadm -m node -L all && iscsiadm -m node -U all && iscsiadm -m node -o delete"
    )


def stand(node: Machine) -> Channel:
    """Start the client that stands in the node as the agent's user, and return the channel to it."""
    path = node.add_port(PORT)
    channel = Channel(path)
    port = f"/dev/virtio-ports/{PORT}"
    node.run(
        f"until test -c {port}; do sleep 0.05; done; systemd-run -q --unit=helper-client -p Restart=always "
        f"sh -c 'exec {' '.join(AS_AGENT)} {node.python} -SEs {CLIENT} <>{port}'"
    )
    channel.wait_answer(CALL_LIMIT)
    return channel
