"""The demo of «why»: five faults, one after the other; what kubectl shows, what `kubectl instorage why` says.

make demo-why         runs it: each fault is mended by the command that the answer names
KEEP=1 make demo-why  leaves it running at the end, with a shell on the node
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from tools.demo.kube import play, prepare
from tools.demo.telling import BEGAN, DemoFailed, say, show
from tools.dist import plugin
from tools.install import PLUGIN
from tools.kube import api
from tools.kube.build import program
from tools.kube.cluster import Cluster
from tools.kube.container_images import BUSYBOX
from tools.kube.machines import POOLS
from tools.kube.provisioner import Provisioner
from tools.lab.san import San
from tools.lab.shell import interact

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.lab.lab import Lab
    from tools.lab.product import Product

LIMIT: Final = 120.0  # seconds in which kubelet must have asked, or gone on
CLASS: Final = "why-thick"
BARRIER: Final = f"/{PLUGIN}/aa-extend-failure.barrier"
CLAIMS: Final = ("agent", "helper", "barrier", "held")
DEAD: Final = "iscsi-node9"
UNITS: Final = tuple(f"instorage-nodeagent{unit}" for unit in (".socket", "-plugin.socket", ".service"))
STOP_AGENT: Final = f"systemctl stop {' '.join(UNITS)}"
STOP_HELPER: Final = "systemctl stop instorage-helper.socket instorage-helper.service"


class Story:
    """Makes each fault, shows what is seen of it, and mends it."""

    def __init__(self, cluster: Cluster, product: Product, san: San) -> None:
        self._cluster, self._product, self._san = cluster, product, san
        self._kubectl = program("kubectl")
        file = self._kubectl.parent / plugin.NAME
        plugin.write(file)
        self._times: list[tuple[str, float, float]] = []
        self._environment = {"PATH": f"{file.parent}:{os.environ['PATH']}", "HOME": "/nonexistent"}

    def tell(self) -> None:
        """Play the five faults; raises DemoFailed or LabFault at the first that is not as it must be."""
        kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": CLASS}}
        served = {"provisioner": "inspur/instorage", "parameters": {"volPoolName": "Pool1"}}
        self._cluster.apply([kind | served])
        for name in CLAIMS:  # all now: a volume is made while another pod's fault is looked at
            self._claim(name, "1Gi")
        on_node = self._product.machine.run
        agent, helper = "start instorage-node.target", "start instorage-helper.socket"
        self._fault("agent", "the node agent was stopped", lambda _: on_node(STOP_AGENT), agent)
        self._fault("helper", "the root helper was stopped", lambda _: on_node(STOP_HELPER), helper)
        barrier, clear = f"echo 'written by the demo' >{BARRIER}", "instoragectl barrier clear"
        self._fault("barrier", "an expansion was broken off", lambda _: on_node(barrier), "barrier", clear)
        release = "instoragectl release {volume} --from node9"
        self._fault("held", "a dead node has the volume", self._hold, "spec.nodeName", release)
        self._full()

    def _fault(
        self, name: str, what: str, make: Callable[[str], object], expected: str, then: str = ""
    ) -> None:
        """Make the fault, start a pod, show and mend it, and see the pod run."""
        say(f"FAULT: {what}")
        volume = self._cluster.wait_bound(name)
        make(volume)
        self._pod(name)
        began = time.monotonic()
        found = self._why(f"default/{name}", expected)
        told = time.monotonic()
        self._mend(found, then.format(volume=volume))
        self._runs(name, what, told - began, told)
        self._cluster.kubectl("delete", "pod", name, "--force", "--grace-period=0")

    def _runs(self, pod: str, what: str, explained: float, told: float) -> None:
        """Wait until the mended pod runs, and keep how long each took."""
        self._cluster.wait_running(pod)
        self._times.append((what, explained, time.monotonic() - told))
        say(f"pod {pod} runs")

    def table(self) -> None:
        """Print how long the explanation of each fault took, and its mending."""
        print(f"\n{'fault':<40} {'explained':>12} {'then running':>14}")
        for what, explained, mended in self._times:
            print(f"{what:<40} {explained:>10.1f} s {mended:>12.1f} s")
        print(f"{'in all, with the start':<40} {'':>12} {time.monotonic() - BEGAN:>12.1f} s\n", flush=True)

    def _full(self) -> None:
        say("FAULT: the pool has no room")
        self._san.command("mcsop mkvdisk -name hog -size 94 -unit gb -mdiskgrp Pool1 -iogrp 0 -intier off")
        self._claim("full", "4Gi")
        self._pod("full")
        began = time.monotonic()
        found = self._why("default/full", "lsmdiskgrp")
        told = time.monotonic()
        self._mend(found, "")
        say("the array's administrator removes what nobody needs: mcsop rmvdisk hog")
        self._san.command("mcsop rmvdisk hog")
        self._cluster.wait_bound("full")
        self._runs("full", "the pool has no room", told - began, told)

    def _hold(self, volume: str) -> None:
        if DEAD not in self._san.command("mcsinq lshost -delim :"):
            self._san.command(f"mcsop mkhost -name {DEAD} -iscsiname iqn.2026-01.org.example:node9")
        self._san.command(f"mcsop mkvdiskhostmap -host {DEAD} {volume}")

    def _why(self, subject: str, expected: str) -> dict[str, Any]:
        """Wait until the answer names a command with `expected`, and show it beside what kubectl shows."""
        deadline = time.monotonic() + LIMIT
        while True:
            found: dict[str, Any] = json.loads(self._instorage("why", subject, "--json"))
            if expected in found["do"]:
                break
            if time.monotonic() > deadline:
                raise DemoFailed(f"why says {found['sentence']!r} and names {found['do']!r}")
            time.sleep(1)
        name = subject.rpartition("/")[2]
        say(f"$ kubectl describe pod {name}   # its events")
        show(self._cluster.said(name)[-800:])
        say(f"$ kubectl instorage why {subject}")
        show(self._instorage("why", subject))
        return found

    def _instorage(self, *words: str) -> str:
        kubeconfig = str(self._cluster.plane.kubeconfig("admin"))
        argv = [str(self._kubectl), "instorage", *words, "--kubeconfig", kubeconfig]
        done = subprocess.run(
            argv, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode not in (0, 1, 2) or not done.stdout:
            raise DemoFailed(f"kubectl instorage: {done.stderr[-500:]}")
        return done.stdout

    def _mend(self, found: dict[str, Any], then: str) -> None:
        """Type the command that is named; `then`: what answer or command must have named for after it."""
        said = f"{found['sentence']}\n{self._typed(found['do'])}"
        if then:
            if then not in said:
                raise DemoFailed(f"{then!r} mends it, and neither answer nor command names it: {said}")
            self._typed(then)

    def _typed(self, command: str) -> str:
        """Type a command where it belongs; show and return what it prints."""
        if command.startswith("mcs"):
            say(f"array$ {command}")
            printed = self._san.command(command)
        elif command.startswith("kubectl "):
            say(f"$ {command}")
            printed = self._cluster.kubectl(*shlex.split(command)[1:])
        else:
            say(f"node# {command}")
            printed = self._product.machine.run(command, LIMIT).stdout
        show(printed)
        return printed

    def _claim(self, name: str, size: str) -> None:
        spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": CLASS}
        spec |= {"resources": {"requests": {"storage": size}}}
        self._apply("PersistentVolumeClaim", name, spec)

    def _pod(self, name: str) -> None:
        container = {
            "name": "main", "image": BUSYBOX, "imagePullPolicy": "Never",
            "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }  # fmt: skip
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": name}}
        spec: dict[str, Any] = {"hostNetwork": True, "automountServiceAccountToken": False}
        spec |= {"terminationGracePeriodSeconds": 2, "containers": [container], "volumes": [volume]}
        self._apply("Pod", name, spec)

    def _apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        made = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self._cluster.apply([made])


def run(lab: Lab) -> None:
    """Bring everything up, play the story, and with KEEP leave it running."""
    with Cluster(lab) as cluster, San(lab, *POOLS) as san:
        product = prepare(cluster, lab, san)
        with Provisioner(cluster, lab.management_socket(), lab.directory / "provisioner") as provisioner:
            product.configure(volumeKey=[provisioner.key_line])
            say("cluster, node, array and provisioner are ready")
            story = Story(cluster, product, san)
            try:
                story.tell()
            finally:
                story.table()
            say(f"five faults, each mended, in {time.monotonic() - BEGAN:.0f} s")
            if os.environ.get("KEEP"):
                print(f"kubectl: {program('kubectl')} --kubeconfig={cluster.plane.kubeconfig('admin')}")
                interact(lab, "a")
            left = cluster.api.items(api.PODS)
            if [one for one in left if one["metadata"]["name"] != "full"]:
                say("pods are being deleted yet: kubelet 1.20 keeps one up to a minute")


if __name__ == "__main__":
    sys.exit(play(run))
