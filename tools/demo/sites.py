"""The demo of an active-active volume: a site dies under a running pod, and comes back.

make demo-aa         runs it (three machines; about 3 minutes)
KEEP=1 make demo-aa  leaves it running at the end, with a shell on the node that is left
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tools.demo.telling import DemoFailed, say, show
from tools.lab.fault import LabFault
from tools.lab.kubelet import END, START, STUB, Kubelet
from tools.lab.lab import Lab
from tools.lab.product import Product
from tools.lab.san import San
from tools.lab.shell import interact
from tools.lab.two_sites import NODES, OPTIONS, PARAMETERS, TwoSites

if TYPE_CHECKING:
    from tools.lab.machine import Machine

SIZE_GIB = 1
LOGGED_OUT = 60  # seconds for the array to see that a node without power is gone
CREATE = json.dumps({f"inspur.com/{key}": value for key, value in PARAMETERS.items()})


def tell(kubelet: Kubelet, *calls: str) -> str:
    """Make calls and print each answer; return what was said, and raise at one that is no success."""
    said = ""
    for answer in kubelet.calls(*calls):
        shown = answer.answer.get("device") or ""
        say(f"  {answer.call:<14} {answer.answer['status']:<8} {answer.seconds:5.2f} s  {shown}")
        if answer.message:
            show(answer.message)
        if not answer.success:
            raise DemoFailed(f"{answer.call}: {answer.message}")
        said += answer.message
    return said


def require(true: bool, otherwise: str) -> None:  # noqa: FBT001
    """Raise when something is not as it must be."""
    if not true:
        raise DemoFailed(otherwise)


def fence(kubelet: Kubelet) -> None:
    """Ask for the detach from the dead node, as kube-controller-manager does, until it is seen gone."""
    deadline, said = time.monotonic() + LOGGED_OUT, ""
    while not (answer := kubelet.call("detach")).success:
        if said != (sentence := answer.message.partition(" (request ")[0]):
            said = sentence
            say(f"  detach         {answer.answer['status']:<8} {answer.seconds:5.2f} s")
            show(said)
        require(time.monotonic() < deadline, f"detach: {said}")
        time.sleep(1)
    say(f"  detach         {answer.answer['status']:<8} {answer.seconds:5.2f} s  the dead node is fenced")


def write(machine: Machine, kubelet: Kubelet, row: str) -> None:
    """Have the pod commit a row."""
    machine.run(f"echo '{row}' >> {kubelet.pod_directory}/table && sync {kubelet.pod_directory}/table")
    say(f"  the pod on {machine.name} commits «{row}»")


def require_rows(machine: Machine, kubelet: Kubelet, expected: str) -> None:
    """Raise when what was committed is not there."""
    found = machine.run(["cat", f"{kubelet.pod_directory}/table"]).stdout
    require(found == expected, f"committed was {expected!r}, there is {found!r}")
    say("  every committed row is there")


def grow_refused(kubelet: Kubelet) -> None:
    """Show what is said when the volume should grow meanwhile."""
    answer = kubelet.expand((SIZE_GIB + 1) << 30)
    require(not answer.success, "the volume grew with one site alone")
    say("enlarged meanwhile: refused, and nothing is changed")
    show(answer.message)


def paths(machine: Machine) -> None:
    """Show the map; raise unless both sites are behind it."""
    shown = machine.run("multipath -ll").stdout
    show(shown)
    require(shown.count("active ready running") == len(NODES), "not both sites are behind the map")


def wait_forgiven(machine: Machine) -> None:
    """Wait until the node tries a portal again that failed; another one works, so it is in no hurry."""
    say("  (a portal that failed is tried again after a minute, while another one works)")
    machine.run('until [ -z "$(find /run/instorage/portals -type f -mmin -1)" ]; do sleep 1; done', 90)


def run(lab: Lab) -> None:
    """Play the whole story; raises DemoFailed when something is not as it must be."""
    lab.start("array", "a", "b")
    with San(lab, *OPTIONS) as san:
        sites, volume = TwoSites(san), f"pvc-{uuid.uuid4()}"
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Product.install, (Product(lab.node("a")), Product(lab.node("b")))))
        say("an array on two sites, a portal at each; node a stands at site 1, node b at site 2")
        lab.node("a").run([STUB, "create", volume, str(SIZE_GIB), CREATE])
        for state in sites.synchronizing(volume):
            say(f"created {volume}, active-active: {state}")
        before_the_fire(lab.node("a"), volume)
        say("FIRE: site 1 is gone, its half of the array and node a")
        sites.lose(1)
        lab.node("a").kill()
        say(f"  the array: {sites.relationship(volume)}")
        survivor = at_the_other_site(lab.node("b"), volume)
        say("site 1 is back")
        sites.restore(1)
        for state in sites.synchronizing(volume):
            say(f"  the array: {state}")
        over_both_again(lab.node("b"), survivor)
        lab.node("b").run([STUB, "delete", volume, CREATE])
        left = Product(lab.node("b")).residue()
        require(not left, f"left behind: {left}")
        say("volume deleted, node b is clean: done")
        if os.environ.get("KEEP"):
            interact(lab, "b")


def before_the_fire(node: Machine, volume: str) -> None:
    """Start a pod at site 1, which commits a row."""
    pod = Kubelet(node, volume, options={"volLevel": "aa"})
    say("a pod on node a")
    tell(pod, *START)
    paths(node)
    write(node, pod, "before the fire")


def at_the_other_site(node: Machine, volume: str) -> Kubelet:
    """Fence the dead node, start the pod at site 2, where it goes on; return its kubelet."""
    fence(Kubelet(node, volume, node="nodea"))
    pod = Kubelet(node, volume, node="nodeb", options={"volLevel": "aa"})
    say("the pod is made anew on node b")
    said = tell(pod, *START)
    require("the site of the master" in said, f"the lost site is not said: {said}")
    require_rows(node, pod, "before the fire\n")
    write(node, pod, "while site 1 is gone")
    grow_refused(pod)
    return pod


def over_both_again(node: Machine, pod: Kubelet) -> None:
    """Make the pod anew when both sites are there; end it."""
    require_rows(node, pod, "before the fire\nwhile site 1 is gone\n")
    wait_forgiven(node)
    say("the pod is made anew, over both sites")
    tell(pod, *END)
    pod.pod = str(uuid.uuid4())
    said = tell(pod, *START)
    require("degraded" not in said, f"both sites are there: {said}")
    paths(node)
    require_rows(node, pod, "before the fire\nwhile site 1 is gone\n")
    tell(pod, *END)


def main() -> int:
    """Run the demo; 1 when something was not as it must be."""
    try:
        with Lab(("a", "b"), report=say) as lab:
            run(lab)
    except (DemoFailed, LabFault, TimeoutError) as failed:
        print(f"demo: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
