"""The demo in a cluster: the manual's StorageClasses, claims and Deployment, with a real kubelet.

make demo-kube          runs it; with LINK=fc over Fibre Channel
KEEP=1 make demo-kube   leaves it running at the end, with a shell on the node
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.demo.telling import BEGAN, DemoFailed, say, show
from tools.kube import api
from tools.kube.build import program
from tools.kube.cluster import Cluster
from tools.kube.machines import POOLS, with_kubelet
from tools.kube.provisioner import Provisioner
from tools.lab.fault import LabFault
from tools.lab.fibre_channel import san_over
from tools.lab.lab import Lab
from tools.lab.product import Product, host_settings
from tools.lab.shell import interact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab.san import San

LINK: Final = os.environ.get("LINK", "iscsi")
MANUAL: Final = Path(__file__).with_name("manual")
CLAIMS: Final = ("data-001", "data-002")
FOLDERS: Final = ("/mnt", "/media")
LABEL: Final = "app=nginx-01"
LIMIT: Final = 300.0  # seconds; usually 10
COLUMNS: Final = {  # of the array's views, and how wide
    "lsvdisk": {"name": 41, "status": 10, "mdisk_grp_name": 16, "capacity": 12, "vdisk_UID": 32},
    "lshostvdiskmap": {"name": 20, "SCSI_id": 9, "vdisk_name": 41, "vdisk_UID": 32},
}


class Story:
    """What happens, in order, and how long each part took."""

    def __init__(self, cluster: Cluster, product: Product, san: San) -> None:
        self._cluster = cluster
        self._product = product
        self._san = san
        self._times: list[tuple[str, float]] = []

    def tell(self) -> None:
        """Play it all; raises DemoFailed or LabFault at the first thing that is not as it must be."""
        self._claims()
        since = self._product.machine.run("date +%s.%N").stdout.strip()
        pod = self._pod()
        digests = self._write(pod)
        self._another_pod(pod, digests)
        self._end()
        self._prove_clean()
        self._table(since)

    def kubectl(self, line: str) -> None:
        """Show a command as a user types it, and what it prints."""
        say(f"$ kubectl {line}")
        show(self._cluster.kubectl(*shlex.split(line)))

    def create(self, name: str) -> None:
        """Create a file of the manual's."""
        say(f"$ kubectl create -f {name}")
        show(self._cluster.kubectl("create", "-f", str(MANUAL / name)))

    def _claims(self) -> None:
        self.create("sc.yaml")
        self.kubectl("get sc")
        with self._timed("claims: created to Bound"):
            self.create("pvc.yaml")
            for claim in CLAIMS:
                self._cluster.wait_bound(claim)
        self.kubectl("get pvc")
        self.kubectl("get pv")
        self._array("lsvdisk")

    def _pod(self) -> str:
        with self._timed("pod: created to Running, two volumes mapped, formatted, mounted"):
            self.create("deploy.yaml")
            pod = self._running(other_than="")
        self.kubectl(f"get all -l {LABEL}")
        self._array("lshostvdiskmap")
        say("on the node:")
        show(self._product.machine.run(f"ls -l /dev/disk/by-path | grep {LINK}; mount | grep flex").stdout)
        return pod

    def _write(self, pod: str) -> list[str]:
        script = "dd if=/dev/urandom of={0}/table.db bs=1M count=4 2>/dev/null; sync; sha256sum {0}/table.db"
        digests = [self._in(pod, script.format(folder)).split()[0] for folder in FOLDERS]
        say(f"wrote 4 MiB to table.db in {' and '.join(FOLDERS)} of {pod}; sha256 {digests[0][:16]}...")
        return digests

    def _another_pod(self, pod: str, digests: list[str]) -> None:
        with self._timed("pod deleted to its successor Running"):
            self.kubectl(f"delete pod {pod} --wait=false")
            successor = self._running(other_than=pod)
        self.kubectl("get pod")
        for folder, digest in zip(FOLDERS, digests, strict=True):
            if self._in(successor, f"sha256sum {folder}/table.db").split()[0] != digest:
                raise DemoFailed(f"{folder}/table.db came back with other content")
        say(f"{successor} has both files, byte for byte")

    def _end(self) -> None:
        with self._timed("Deployment deleted to nothing mapped on the array"):
            self.kubectl("delete deployment nginx-01")
            deadline = time.monotonic() + LIMIT
            while [volume for volume in self._san.control.do("volumes") if volume["maps"]]:
                if time.monotonic() > deadline:
                    raise DemoFailed(f"still mapped after {LIMIT:.0f} s")
                time.sleep(0.2)
        self._array("lshostvdiskmap")
        with self._timed("claims deleted to no volume (kubelet 1.20 keeps a pod up to a minute)"):
            self.kubectl(f"delete pvc {' '.join(CLAIMS)}")
            for volume in self._cluster.api.items(api.VOLUMES):
                self._cluster.wait_gone(f"{api.VOLUMES}/{volume['metadata']['name']}")

    def _prove_clean(self) -> None:
        left = self._product.residue()
        for kind, path in (("pods", api.PODS), ("claims", api.CLAIMS), ("volumes", api.VOLUMES)):
            if found := self._cluster.api.items(path):
                left[f"{kind} in the cluster"] = ", ".join(one["metadata"]["name"] for one in found)
        if found := self._san.control.do("volumes"):
            left["volumes on the array"] = str(found)
        if left:
            raise DemoFailed(f"left behind: {left}")
        self.kubectl("get pod,pvc,pv")
        say(
            "clean end: no pod, claim or PV in the cluster; no SCSI device, map, mount, WWID or record on "
            "the node; no mapping and no volume on the array"
        )

    def _running(self, other_than: str) -> str:
        deadline = time.monotonic() + LIMIT
        while not (pods := [pod for pod in self._cluster.pods(LABEL) if pod != other_than]):
            if time.monotonic() > deadline:
                raise DemoFailed("the Deployment made no pod")
            time.sleep(0.2)
        self._cluster.wait_running(pods[0])
        return pods[0]

    def _in(self, pod: str, script: str) -> str:
        return self._cluster.kubectl("exec", pod, "--", "sh", "-c", script)

    def _array(self, view: str) -> None:
        say(f"array: {view}")
        rows = [line.split(":") for line in self._san.command(f"mcsinq {view} -delim :").splitlines()]
        for row in rows:
            show(" ".join(f"{row[rows[0].index(name)]:<{width}}" for name, width in COLUMNS[view].items()))

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self._times.append((name, time.monotonic() - start))

    def _table(self, since: str) -> None:
        print("\nWhere the time went\n")
        for name, seconds in self._times:
            print(f"{name:<76} {seconds:6.1f} s")
        print("\nWhat kubelet called, and the agent's time for it\n")
        for record in self._product.journal(since=since):
            if "INSTORAGE_PHASES" in record:
                print(f"{record['INSTORAGE_CALL']:<76} {int(record['INSTORAGE_MS']) / 1000:6.1f} s")
        print(f"{'in all':<76} {time.monotonic() - BEGAN:6.1f} s\n", flush=True)


def prepare(cluster: Cluster, lab: Lab, san: San) -> Product:
    """Install the product on node a while the node joins the cluster."""
    product = Product(lab.node("a"), host=host_settings(LINK))
    with ThreadPoolExecutor(2) as pool:
        installed, joined = pool.submit(product.install), pool.submit(cluster.join, "a")
        installed.result()
        joined.result()
    return product


def run(lab: Lab) -> None:
    """Bring everything up, play the story, and with KEEP leave it running."""
    with Cluster(lab) as cluster, san_over(LINK, lab, *POOLS) as san:
        say("control plane is ready: etcd, API server, controller manager, scheduler; array answers")
        product = prepare(cluster, lab, san)
        say("node is Ready; agent and helper run under systemd")
        with Provisioner(cluster, lab.management_socket(), lab.directory / "provisioner") as provisioner:
            product.configure(volumeKey=[provisioner.key_line])
            say("provisioner runs under its own account; the node knows its key")
            story = Story(cluster, product, san)
            story.kubectl("get nodes -o wide")
            story.tell()
            if os.environ.get("KEEP"):
                print(f"kubectl: {program('kubectl')} --kubeconfig={cluster.plane.kubeconfig('admin')}")
                interact(lab, "a")


def play(run: Callable[[Lab], None]) -> int:
    """Run a demo on a node with a kubelet; 1 when something was not as it must be."""
    try:
        with Lab(("a",), report=say, machines=with_kubelet) as lab:
            lab.start()
            say("array and node are up")
            run(lab)
    except (DemoFailed, LabFault) as failed:
        print(f"demo: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(play(run))
