"""Taking a volume from another host: what must hold before its mapping goes (safety.md 14, docs/fencing.md).

A node that lives and loses the volume under its mount loses what it has not written. So the array is asked
twice whether it is gone: in a fail-over of the SAN all sessions of a living node may be out at once. Without
proof nothing is unmapped, and it is said what an administrator can do.

An array may keep a command waiting for a minute: it changes over, or its answer is lost and it is told again.
Meanwhile a living node comes back and writes. So its logins are looked at anew before a command that leaves
late, a repeated one included (`LastLook`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.operation import only_while, within
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instorage.arrays.logins import HostLogins
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName

PAUSE_SECONDS = 3.0  # between both looks: longer than a session takes to come back over another path
RECENT = 3.0  # seconds for which it is believed that a node is logged out
LONGEST = 60.0  # seconds for one mapping, with all looks at an array that keeps it waiting


@dataclass(frozen=True)
class Living:
    """Why a node must be taken for living, as part of a sentence, and what ends that, as sentences.

    `seen`: the array says that it is logged in; else it only does not say that it is logged out.
    """

    why: str
    mend: str
    seen: bool = False


def living(array: Array, hosts: Sequence[str], between: Callable[[], None] = lambda: None) -> Living | None:
    """Return why a node must be taken for living; None: the array says twice that it is logged out.

    `hosts` are all of its host objects that have the volume: it may be logged in by any one. One that the
    array does not show, and has a mapping to, says nothing of its logins. `between` is done in the pause.
    """
    began = time.monotonic()
    if found := look(array, hosts):
        return found
    between()
    time.sleep(max(began + PAUSE_SECONDS - time.monotonic(), 0.0))  # two answers must not share one moment
    return look(array, hosts)


def look(array: Array, hosts: Sequence[str]) -> Living | None:
    """Look once; only a second look, directly before what it allows, may stand for `living`.

    Of two host objects the one that is logged in counts before one of which that is not known.
    """
    doubtful = None
    for host in hosts:
        found = judged(array, host, array.host_logins(host))
        if found is not None and found.seen:
            return found
        doubtful = doubtful or found
    return doubtful


def judged(array: Array, host: str, found: HostLogins | None) -> Living | None:
    """Return why an object that has a mapping must be taken for a living node's; None: it is logged out."""
    if found is None:
        why = f"array {array.name} maps it to host {host} and does not show that host"
        return Living(why, f"See «lshost {host}» on array {array.name}, and repeat this.")
    if why := found.why_not_out:
        return Living(why, _mend(array, found), seen=bool(found.logged_in))
    return None


class _Old(Exception):
    """The node was looked at too long ago: the command was not sent."""


class LastLook:
    """Lets a mapping go while a look at the node's logins is recent; to be made directly after that look.

    `kept` makes the fault of a node that must be taken for living by now.
    """

    def __init__(self, array: Array, hosts: Sequence[str], kept: Callable[[Living], Fault]) -> None:
        self._array, self._hosts, self._kept = array, hosts, kept
        self._looked = time.monotonic()
        self._sent = False

    def unmap(self, volume: VolumeName, host: str) -> None:
        """Unmap; the command is given up and the node looked at anew whenever the last look is too old.

        Not from within the command, which has one of the array's few channels: eight of them would all wait
        for a ninth. OUTCOME_UNKNOWN when the node came back after the command had been sent.
        """
        self._sent = False
        with within(LONGEST), only_while(self._require_recent):
            while not self._unmapped(volume, host):
                self._look_anew()

    def _unmapped(self, volume: VolumeName, host: str) -> bool:
        try:
            self._array.unmap_volume(volume, host)
        except _Old:
            return False
        return True

    def _require_recent(self) -> None:
        if time.monotonic() - self._looked > RECENT:
            raise _Old
        self._sent = True

    def _look_anew(self) -> None:
        try:
            found = look(self._array, self._hosts)
        except Fault as fault:
            raise self._as_known(fault) from fault
        if found:
            raise self._as_known(self._kept(found))
        self._looked = time.monotonic()

    def _as_known(self, fault: Fault) -> Fault:
        if not self._sent:
            return fault
        text = f"{fault.sentence} The command had been sent before that, and may yet be done."
        return Fault(Code.OUTCOME_UNKNOWN, text, **fault.fields)


def _mend(array: Array, found: HostLogins) -> str:
    """Say how a machine that is gone or hangs gets logged out, the safest way first."""
    fibre = [port for port in found.logged_in if port.fc]
    if not found.logged_in:
        shown = f"«lshost {found.host}» and, for each WWPN, «lsfabric -wwpn»"
        return f"See {shown} on array {array.name}; nothing is unmapped before they say «logged out»."
    if not fibre:
        return "If that machine hangs or is cut off, power it off; repeat this once its sessions ended."
    commands = ", ".join(f"«mcsop rmhostport -hbawwpn {port.name.upper()} {found.host}»" for port in fibre)
    return (
        "If that machine hangs or is gone, power it off, or take its ports out of the switches' zoning, and "
        f"repeat this once the array no longer shows them. Else on array {array.name}: {commands}; that ends "
        "its I/O to every volume of that object at once, and what it has not written is lost."
    )
