"""The demo: an array with two pools, a node with the archive that users get, and a volume as kubelet has it.

make demo            runs it; what is not there yet is built: our Python, the archive, the machines
make demo LINK=fc    over Fibre Channel
KEEP=1 make demo     leaves it running at the end, with a shell on the node
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
from typing import TYPE_CHECKING

from tools.demo import phases
from tools.demo.telling import DemoFailed, say, show
from tools.lab.archive import built
from tools.lab.fault import LabFault
from tools.lab.fibre_channel import san_over
from tools.lab.kubelet import END, START, STUB, Kubelet
from tools.lab.lab import Lab
from tools.lab.product import Product, host_settings
from tools.lab.shell import interact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.lab.archive import Archive
    from tools.lab.kubelet import Answer
    from tools.lab.machine import Machine
    from tools.lab.san import San

SIZE_GIB = 2
LINK = os.environ.get("LINK", "iscsi")
OPTIONS = json.dumps({"inspur.com/volPoolName": "Pool0"})


def tell(answers: Iterator[Answer]) -> list[Answer]:
    """Print each answer when it comes; raise when one is no success."""
    told = []
    for answer in answers:
        told.append(answer)
        shown = answer.answer.get("device") or answer.message
        say(f"  {answer.call:<14} {answer.answer['status']:<8} {answer.seconds:5.2f} s  {shown}")
        if not answer.success:
            raise DemoFailed(f"{answer.call}: {answer.message}")
    return told


def stub(node: Machine, *arguments: str) -> str:
    """Run an extended command of the stub on the node."""
    return node.run([STUB, *arguments]).stdout.strip()


def first_life(node: Machine, kubelet: Kubelet) -> tuple[list[Answer], str]:
    """Start a pod, write a file, end the pod; return the answers and the file's digest."""
    answers = tell(kubelet.calls(*START))
    show(node.run(f"multipath -ll; df -h {kubelet.pod_directory} | tail -1").stdout)
    data = os.urandom(4 << 20)
    node.put(f"{kubelet.pod_directory}/table.db", data)
    node.run(["sync", "-f", kubelet.pod_directory])
    say(f"  wrote {len(data) >> 20} MiB, sha256 {hashlib.sha256(data).hexdigest()[:16]}...")
    return answers + tell(kubelet.calls(*END)), hashlib.sha256(data).hexdigest()


def second_life(node: Machine, kubelet: Kubelet, digest: str) -> list[Answer]:
    """Attach again for another pod and compare the file."""
    kubelet.pod = str(uuid.uuid4())
    answers = tell(kubelet.calls(*START))
    read = hashlib.sha256(node.read(f"{kubelet.pod_directory}/table.db")).hexdigest()
    if read != digest:
        raise DemoFailed(f"the file came back with sha256 {read}, written was {digest}")
    say("  the file is back, byte for byte")
    return answers + tell(kubelet.calls(*END))


def prove_clean(product: Product, san: San, volume: str) -> None:
    """Show that nothing of the volume is left on the node or on the array."""
    left = product.residue()
    mapped = [found for found in san.control.do("volumes") if found["maps"] or found["name"] == volume]
    if mapped:
        left["on the array"] = str(mapped)
    if left:
        raise DemoFailed(f"left behind: {left}")
    say(
        "clean end: no SCSI device, map, mount, WWID or record on the node; "
        "no mapping and no volume on the array"
    )


def run(lab: Lab, archive: Archive) -> None:
    """Play the whole story."""
    say(f"array and node are up; the link is {LINK}")
    with san_over(LINK, lab) as san:
        node = lab.node("a")
        product = Product(node, host=host_settings(LINK))
        unpacked = archive.put_on(node)
        say(f"array with two pools answers; {archive.path.name} is unpacked on node a")
        took = product.install_from(unpacked)
        say(f"./install.sh --node took {took:.1f} s: agent and helper run under systemd, by their own Python")
        volume = f"pvc-{uuid.uuid4()}"
        stub(node, "create", volume, str(SIZE_GIB), OPTIONS)
        say(f"created {volume}, {SIZE_GIB} GiB, in Pool0")
        kubelet = Kubelet(node, volume)
        since = node.run("date +%s.%N").stdout.strip()
        say("first pod: what kubelet calls")
        answers, digest = first_life(node, kubelet)
        say("second pod: attach again")
        answers += second_life(node, kubelet, digest)
        stub(node, "delete", volume, OPTIONS)
        say("volume deleted")
        records = product.journal(since=since)
        print(f"\nWhere the time went\n\n{phases.table(phases.rows(answers, records))}\n", flush=True)
        counters = san.control.do("counters")
        say(
            f"array: {counters['total']} commands, "
            f"{counters['connections']['opened']} SSH connections (agent 1, create 1, delete 1)"
        )
        prove_clean(product, san, volume)
        say("done")
        if os.environ.get("KEEP"):
            print(
                f"Look around: {STUB} ext-help; multipath -ll; "
                "journalctl -u instorage-nodeagent -u instorage-helper"
            )
            interact(lab, "a")


def main() -> int:
    """Run the demo; 1 when something was not as it must be."""
    try:
        archive = built(say)
        with Lab(("a",), report=say) as lab:
            lab.start()
            run(lab, archive)
    except (DemoFailed, LabFault) as failed:
        print(f"demo: {failed}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
