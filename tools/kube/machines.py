"""The lab's machines with a kubelet on the nodes: `Lab(nodes, machines=with_kubelet)`.

The array is the ordinary lab's. A node reaches one thing more, the API server; nothing else leaves the lab.
"""

from dataclasses import replace
from typing import Final

from tools.kube import node_image
from tools.kube.container_images import BUSYBOX
from tools.lab.lab import Saved, ordinary
from tools.lab.progress import Report
from tools.lab.snapshots import saved
from tools.lab.topology import ARRAY, NODES, ROLES, Role

API_ADDRESS: Final = "10.0.2.102"
API_PORT: Final = 6443
API_SOCKET: Final = "kube-api.sock"  # in the lab's directory
MEMORY: Final = 2048  # MiB
# For the simulator: its first pool lies on the site with portals, and the manual's classes name Pool1.
POOLS: Final = ("--pools", "Pool1:100GiB,Pool0:100GiB")
# A container has run, a kubelet has been read: their pages are in memory for the first pod.
WARM_UP: Final = (
    "systemctl is-active containerd && kubelet --version && "
    f"ctr -n k8s.io run --rm {BUSYBOX} warm-up true && ls /usr/lib/cni"
)


def roles() -> dict[str, Role]:
    """Return the nodes' roles: more memory, and a way to the API server."""
    api = {f"{API_ADDRESS}:{API_PORT}": API_SOCKET}
    return {
        name: replace(ROLES[name], memory=MEMORY, services={**ROLES[name].services, **api}) for name in NODES
    }


def with_kubelet(report: Report) -> dict[str, Saved]:
    """Return the machines by name; builds what the caches lack: 6 minutes from nothing, once."""
    array = ordinary(report)[ARRAY]
    folder, boot = saved("kubelet-snapshots", node_image.image(report), roles(), report, WARM_UP)
    nodes = {name: Saved(role, folder / f"{name}.qcow2", boot) for name, role in roles().items()}
    return {ARRAY: array, **nodes}
