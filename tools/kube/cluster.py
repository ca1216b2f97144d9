"""A cluster whose nodes are machines of the lab: the control plane here, kubelets there.

kube-controller-manager runs on this machine, in a root of its own, with the product's stub, which itself
answers attach and isattached. Without an agent a detach there has nothing left to do: the node has unmapped
the volume.
`tools.kube.control_agent` puts an agent beside it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tools.install import PLUGIN, STUB
from tools.kube import api, build
from tools.kube.api import Api, condition, phase
from tools.kube.control_plane import ControlPlane, free_ports
from tools.kube.machines import API_ADDRESS, API_PORT, API_SOCKET
from tools.kube.relay import Relay
from tools.lab.fault import LabFault
from tools.lab.product import build_stub

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.kube.api import Object
    from tools.lab.lab import Lab
    from tools.lab.machine import Machine

KUBELET_PORT: Final = 10250
KUBECTL_LIMIT: Final = 180.0  # seconds
# Deadlines, not the usual times (10, 20 and 60 s): other machines may be emulated beside these.
READY_LIMIT: Final = 180.0
RUNNING_LIMIT: Final = 400.0
GONE_LIMIT: Final = 300.0  # kubelet 1.20 keeps a pod until its sandbox is collected, once a minute
PKI: Final = "/etc/kubernetes/pki"


class Cluster:
    """`with Cluster(lab) as cluster: cluster.join("a")`; everything ends with the block."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._proxy = lab.directory / "kubelets.sock"
        self._ports: dict[str, int] = {}  # of this machine, by a kubelet's address and port
        self.relay = Relay()
        self.plane = ControlPlane(kubelets=self._proxy, addresses=(API_ADDRESS,))
        self.plugin = self.plane.plugins / Path(PLUGIN).name  # as kube-controller-manager sees it

    def __enter__(self) -> Self:
        build_stub()
        self.plugin.mkdir(parents=True)
        shutil.copy(STUB, self.plugin)
        self.relay.__enter__()
        try:
            self.relay.proxy(self._proxy, self._ports)
            self.plane.__enter__()
            self.relay.socket_to_port(self._lab.directory / API_SOCKET, self.plane.port)
            self._kubeconfig = self.plane.kubeconfig("admin")
            self.api = Api(self.plane.port, self.plane.pki)
        except BaseException:
            self.relay.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.api.__exit__()
        self.plane.stop()
        self.relay.__exit__()

    def join(self, *names: str) -> None:
        """Make nodes of machines: kubelet starts; returns when they are Ready."""
        for name in names:
            self._start_kubelet(self._lab.node(name))
        for name in names:
            self.wait_ready(self._lab.node(name))

    def wait_ready(self, machine: Machine, seconds: float = READY_LIMIT) -> None:
        """Wait until the machine's node is Ready; raises LabFault with kubelet's journal."""
        node = machine.role.hostname
        try:
            self.api.until(
                f"{api.NODES}/{node}", lambda found: condition(found, "Ready"), seconds, f"{node} is Ready"
            )
        except LabFault as fault:
            said = machine.run("journalctl -b -u kubelet -u containerd -n 60 --no-pager", check=False).stdout
            raise LabFault(fault.code, f"{fault}\n{said}") from None

    def wait_kubelet(self, machine: Machine, seconds: float = READY_LIMIT) -> None:
        """Wait until the machine's kubelet answers the API server; its node may look Ready before."""
        path = f"{api.NODES}/{machine.role.hostname}/proxy/healthz"
        deadline = time.monotonic() + seconds
        while not self.api.answers(path):
            if time.monotonic() > deadline:
                raise LabFault("kube-wait", f"kubelet of {machine.name} does not answer")
            time.sleep(api.POLL)

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run kubectl as administrator and return what it prints; raises LabFault when it fails."""
        argv = [str(build.program("kubectl")), f"--kubeconfig={self._kubeconfig}", *arguments]
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, text=True, timeout=KUBECTL_LIMIT, check=False,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self._kubeconfig.parent)},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LabFault("kubectl-hangs", f"kubectl {' '.join(arguments)}: {KUBECTL_LIMIT:.0f} s") from None
        if check and done.returncode:
            raise LabFault("kubectl-failed", f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, documents: str | Iterable[Object]) -> str:
        """Apply YAML, or objects."""
        text = documents if isinstance(documents, str) else "\n".join(map(json.dumps, documents))
        return self.kubectl("apply", "-f", "-", stdin=text)

    def wait_bound(self, claim: str, seconds: float = 120) -> str:
        """Wait until a claim is bound; return its volume's name."""
        path = f"{api.CLAIMS}/{claim}"
        self._until(path, lambda found: phase(found) == "Bound", seconds, f"claim {claim} is bound", claim)
        return str((self.api.get(path) or {})["spec"]["volumeName"])

    def wait_running(self, pod: str, seconds: float = RUNNING_LIMIT) -> Object:
        """Wait until a pod is ready, and return it; raises LabFault with its events."""
        path = f"{api.PODS}/{pod}"
        self._until(path, lambda found: condition(found, "Ready"), seconds, f"pod {pod} runs", pod)
        return self.api.get(path) or {}

    def wait_gone(self, path: str, seconds: float = GONE_LIMIT) -> None:
        """Wait until the API knows the object no longer."""
        self.api.until(path, lambda found: found is None, seconds, f"{path} is gone")

    def pods(self, selector: str) -> list[str]:
        """Return the names of the pods of a label that are not being deleted."""
        found = self.api.items(f"{api.PODS}?labelSelector={selector.replace('=', '%3D')}")
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def forget_mounts(self, machine: Machine) -> None:
        """Say for a node that cannot that it mounts nothing; kube-controller-manager would wait 6 minutes."""
        self.api.patch_status(f"{api.NODES}/{machine.role.hostname}", {"volumesInUse": None})

    def said(self, name: str) -> str:
        """Return what events say of the object of that name, oldest first."""
        found = [one for one in self.api.items(api.EVENTS) if one["involvedObject"]["name"] == name]
        return "\n".join(f"{one['type']} {one['reason']} {one['message']}" for one in found)

    def _until(self, path: str, met: Any, seconds: float, what: str, name: str) -> None:  # noqa: ANN401
        try:
            self.api.until(path, met, seconds, what)
        except LabFault as fault:
            raise LabFault(fault.code, f"{fault}\n{self.said(name)}") from None

    def _start_kubelet(self, machine: Machine) -> None:
        node, address = machine.role.hostname, machine.role.address(0)
        self.plane.issue(node, f"system:node:{node}", ("system:nodes",), (address, node))
        pki = self.plane.pki
        for source, target in {
            "ca.crt": "ca.crt",
            f"{node}.crt": "kubelet.crt",
            f"{node}.key": "kubelet.key",
        }.items():
            machine.put(f"{PKI}/{target}", (pki / source).read_bytes(), 0o600)
        # On one of its two emulated processors an idle kubelet takes 17 % instead of 24 % (seen).
        machine.put("/etc/kubernetes/kubelet.env", f"NODE_IP={address}\nGOMAXPROCS=1\n")
        machine.put("/etc/kubernetes/kubelet.kubeconfig", json.dumps(_kubeconfig()), 0o600)
        (port,) = free_ports(1)
        said = machine.monitor(f"hostfwd_add net-mgmt tcp:127.0.0.1:{port}-10.0.2.15:{KUBELET_PORT}")
        if said.strip():
            raise LabFault("kube-forward", f"{machine.name}: {said}")
        self._ports[f"{address}:{KUBELET_PORT}"] = port
        machine.run("systemctl start kubelet", timeout=READY_LIMIT)


def _kubeconfig() -> Object:
    """Return kubelet's own, as it lies on a node."""
    cluster = {"server": f"https://{API_ADDRESS}:{API_PORT}", "certificate-authority": f"{PKI}/ca.crt"}
    user = {"client-certificate": f"{PKI}/kubelet.crt", "client-key": f"{PKI}/kubelet.key"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "kubelet", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "kubelet"}}],
        "current-context": "lab",
    }
