"""`instoragectl arrays`: whether each configured array answers, what of its policy one meets here.

Over Fibre Channel an array often has a host object of this machine already, made with the zoning: the line
for `host.objects` is told, by which other hosts know it, too.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.arrays.model import Initiator
from instorage.configuration.settings import Link
from instorage.privilege import leave_root
from instorage.wire.fault import Fault
from instorage.wire.values import Wwpn
from nodeagent.administration.array import USER, client
from nodeagent.host import fc_ports, identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.arrays.model import Protection
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import HostSettings


SYSFS = Path("/sys")


def report(configuration: Path) -> Iterator[str]:
    """Ask every array, one after the other, and yield lines for people; one that does not answer says why."""
    from instorage.configuration.settings import load

    found = load(configuration, need_host=False)
    with contextlib.suppress(Fault):  # a provisioner's has no host
        found = load(configuration)
    leave_root(USER)
    for entry in found.storage:
        with client(entry) as array:
            yield _line(array)
            if found.host is not None and found.host.link is Link.FC:
                yield from _object(array, found.host)


def _line(array: Array) -> str:
    try:
        protection = array.protection()
    except Fault as fault:
        return f"Array {array.name} was not asked: {fault}"
    return f"Array {array.name} answers. {_said(protection)}"


def _object(array: Array, host: HostSettings) -> Iterator[str]:
    """Say in which host object this machine's ports are, when the name rule and the configuration do not."""
    own = Initiator(wwpns=tuple(adapter.name for adapter in fc_ports.adapters(SYSFS)))
    try:
        found = array.find_holder(own)
    except Fault as fault:
        yield f"Array {array.name} does not say which host object has this machine's ports: {fault}"
        return
    if found is None:
        yield (
            f"Array {array.name} shows no login of this machine's Fibre Channel ports with a host object: "
            f"the first volume makes one ({identity.host_names(host)[0]}), or make it with the zoning."
        )
    elif foreign := [name for name in sorted(found.port_names - own.port_names) if _is_wwpn(name)]:
        yield (
            f"Host object {found.name} of array {array.name} has ports of this machine and of another "
            f"({', '.join(foreign)}), and is not used: each machine has one of its own (rmhostport)."
        )
    elif not identity.is_own(host, (found.name,)):
        yield (
            f"Array {array.name} has this machine's ports in host object {found.name}, and that is used. So "
            "that other hosts, which detach and fence, know it, add to the configuration of all of them: "
            f"host.objects: {{{host.node_name}: {found.name}}}"
        )


def _is_wwpn(name: str) -> bool:
    return Wwpn.pattern.fullmatch(name) is not None


def _said(protection: Protection | None) -> str:
    if protection is None:
        return "Volume protection is off: a volume that is let go is unmapped and deleted at once."
    pools = ", ".join(protection.pools)
    return (
        f"Volume protection is on for {protection.minutes} minutes (pools {pools}): so long after the last "
        "I/O a volume is neither unmapped nor deleted, and a pod that moves to another node waits for that. "
        "Shorter: «mcsop chsystem -vdiskprotectiontime MINUTES»; not at all for a pool: «mcsop chmdiskgrp "
        "-vdiskprotectionenabled no POOL»."
    )
