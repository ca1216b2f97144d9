"""`instoragectl attach-calls [true|false]`: does kubelet wait for attach calls (flexvolume.md 1).

With «true», the default, a pod waits for two rounds of the node's status before its volume is mounted, 8 to
15 seconds; with «false» kubelet calls mount and unmount alone. Then the array's mappings keep a volume on one
node, and nothing takes it from a dead one by itself: `instoragectl release` or `fence` does.

The switch is a file, `.attach`, beside the stub, which kubelet's next `init` reads. kubelet sees no file of
such a name, so the stub is then replaced by itself, which it does see.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import durable_file
from instorage.wire.fault import Code, Fault
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.host.paths import Paths
from nodeagent.operation.targets import is_device_mount, pod_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

SETTING = ".attach"
STUB = "instorage-flexvolume"
MOUNTS = Path("/proc/self/mountinfo")
_MOUNT_POINT = 4  # the word of a line of mountinfo, proc(5)
_WITH = "kubelet waits for kube-controller-manager before it mounts"
_WITHOUT = "kubelet mounts at once; the array's mappings alone keep a volume on one node"


def run(given: argparse.Namespace) -> Outcome:
    """Do what `instoragectl attach-calls` was asked for."""
    paths = Paths.from_environment()
    return Outcome(show(paths) if given.setting is None else switch(paths, attach=given.setting == "true"))


def show(paths: Paths) -> Iterator[str]:
    """Say what is in force."""
    yield f"attach: {_word(paths)} ({_WITH if paths.attach else _WITHOUT})"


def switch(paths: Paths, *, attach: bool, mounts: Path = MOUNTS) -> Iterator[str]:
    """Have kubelet make its attach calls, or not, from its next `init` on; nothing to do is said, too.

    `Fault(NOT_ALLOWED)` while a volume is mounted on this node: what began with attach calls must end with
    them, and kubelet asks by the setting of now. `Fault(BAD_CONFIGURATION)` when no stub is there.
    """
    if paths.attach is attach and (attach or (paths.plugin / SETTING).exists()):
        yield f"attach is {_word(paths)} already."
        return
    _require_drained(mounts)
    stub = paths.plugin / STUB
    if not stub.is_file():
        text = f"{stub} is not there: is {paths.plugin} the plugin directory of this node?"
        raise Fault(Code.BAD_CONFIGURATION, text, file=str(stub))
    durable_file.write(paths.plugin / SETTING, "true\n" if attach else "false\n")
    _touch(stub)
    yield f"attach: {_word(paths)} ({_WITH if attach else _WITHOUT}). kubelet was told; uncordon the node."
    yield "The same on every node, and where kube-controller-manager has the stub: they must agree."


def _word(paths: Paths) -> str:
    return "true" if paths.attach else "false"


def _require_drained(mounts: Path) -> None:
    """Refuse while kubelet has anything of ours mounted, with what it is."""
    points = [line.split()[_MOUNT_POINT] for line in mounts.read_text().splitlines()]
    ours = [point for point in points if is_device_mount(point) or pod_of(point)]
    if ours:
        raise Fault(
            Code.NOT_ALLOWED,
            f"{len(ours)} mounts of volumes are on this node, {ours[0]} among them: what was begun with one "
            "setting must end with it. Drain the node first (kubectl drain NODE --ignore-daemonsets).",
            mount=ours[0],
        )


def _touch(stub: Path) -> None:
    """Replace the stub by a copy of itself, as a whole: an event that kubelet takes for a new driver."""
    fresh = stub.with_name(f".{stub.name}.new")
    shutil.copy2(stub, fresh)
    found = stub.stat()
    os.chown(fresh, found.st_uid, found.st_gid)
    fresh.rename(stub)
    durable_file.sync_directory(stub.parent)
