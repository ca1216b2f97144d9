"""What a node that goes down must do before it leaves the SAN: end who writes to our volumes, unmount them.

systemd does not know that these mounts need the network, and containers, which have mounts of their own, it
ends only after everything else, sessions included (runc makes their scopes so). So the unit
instorage-volumes.service runs this once kubelet and the container runtime have stopped, and before iSCSI and
the network do. Deadlines are monotonic seconds.
"""

import contextlib
import functools
import os
import signal
import sys
import time

from helper import child, device, leftover, mounts, settings
from helper.program import ANY, run
from helper.settings import Settings
from helper.target import spelled
from helper.unmount import unmount
from helper.users import users
from instorage.wire.fault import Fault
from instorage.wire.values import RequestId
from instorage.wire.verbs import UnmountRequest

ALL = 45.0  # seconds for everything, of the 90 that a reboot may take
_TERM, _KILL = 10.0, 5.0  # seconds for processes to end when asked to, and when killed
_LOOKS = 5.0  # seconds for all looks at who that is
_OP = RequestId("shutdown")


def main() -> int:
    """End every use of our volumes, whatever goes wrong with one of them."""
    if not going_down():
        print("This node is not going down: its volumes stay mounted.", file=sys.stderr)
        return 0
    found = settings.loaded()
    known, deadline = Settings() if isinstance(found, Fault) else found, time.monotonic() + ALL
    volumes = [one for one in device.every([]) if one.top]
    soon = time.monotonic() + _TERM + _KILL + _LOOKS
    try:
        child.apart(functools.partial(end, volumes, known), soon, "The look for who uses a volume")
    except (OSError, Fault) as error:  # then at least what is written goes to the array
        print(f"Not everybody who uses a volume could be ended: {error}", file=sys.stderr)
    jobs = [functools.partial(_leave, one, known, deadline) for one in volumes]
    for volume, answer in zip(volumes, child.gather(jobs, deadline, "The unmount"), strict=True):
        if said := str(answer or ""):
            print(f"Volume {volume.uid} is left as it is: {said}", file=sys.stderr)
    return 0


def going_down() -> bool:
    """Return whether systemd says that it stops everything: only then are other programs ended here."""
    try:
        answer = run("systemctl", "is-system-running", deadline=time.monotonic() + 5, accept=ANY)
    except Fault as fault:
        print(f"Whether this node goes down cannot be found out: {fault}", file=sys.stderr)
        return False
    return answer.out.strip() == "stopping"


def end(volumes: list[device.Volume], known: Settings) -> None:
    """Ask the processes of every other mount namespace that holds a volume to end, then kill them."""
    for number, seconds in ((signal.SIGTERM, _TERM), (signal.SIGKILL, _KILL)):
        for pid in (found := _processes(volumes, known)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if found:
            child.until(lambda: not _processes(volumes, known), time.monotonic() + seconds, 0.1)


def _processes(volumes: list[device.Volume], known: Settings) -> list[int]:
    """Return all processes of the namespaces that have a mount of their own of one of the volumes."""
    numbers = {number for volume in volumes for number in volume.numbers}  # one look for all of them
    spaces = {_space(process) for process, _ in leftover.holders(numbers, known)} - {_space("self"), ""}
    return [int(one) for one in filter(str.isdigit, os.listdir(mounts.PROC)) if _space(one) in spaces]


def _space(process: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"{mounts.PROC}/{process}/ns/mnt")
    return ""


def _leave(volume: device.Volume, known: Settings, deadline: float) -> str:
    """Write back and unmount one volume; return what still uses it."""
    numbers, said = volume.numbers, []
    rows = [row for row in mounts.table() if row.number in numbers]
    for target in sorted(filter(None, (spelled(row.target, known) for row in rows)), reverse=True):
        try:
            unmount(UnmountRequest(_OP, target), known)  # «pods» before «plugins»
        except Fault as fault:
            said.append(str(fault))
    soon = deadline - 1
    child.until(lambda: not users(volume, soon, programs=False), soon, 0.1)
    return " ".join([*said, *users(volume, soon, programs=False)])
