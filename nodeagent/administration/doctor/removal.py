"""The removal of what is left of a volume: named only where nothing uses it, and safe to type later, too.

The map goes first, which the kernel refuses while anything has it open or is built on it, and then, only if
it went, the disks that say at that moment that they are this volume: a name may be another disk's by then. A
disk without a map goes whoever uses it, so that of one no removal is named.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from instorage.wire.fault import Fault
from nodeagent.administration.doctor import holders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodeagent.administration.doctor.host import Host
    from nodeagent.administration.doctor.picture import Picture
    from nodeagent.diagnosis.finding import Finding


def named(host: Host, findings: Iterable[Finding], pictures: list[Picture]) -> Iterator[Finding]:
    """Yield the findings, a leftover that is surely nobody's with the command that removes it."""
    by_name = {one.name: one for one in pictures}
    for finding in findings:
        picture = by_name.get(finding.volume)
        if finding.code == "leftover" and picture and _idle(host, picture):
            yield dataclasses.replace(finding, command=command(picture.uid))
        else:
            yield finding


def command(uid: str) -> str:
    """Return what removes a map and the disks below it."""
    disks = f"$(grep -lx naa.{uid} /sys/block/sd*/device/wwid)"
    return f"multipath -f 3{uid} && for one in {disks}; do echo 1 >${{one%wwid}}delete; done"


def _idle(host: Host, one: Picture) -> bool:
    """Say whether its array is surely one that answered, and nothing mounts it, holds it or has it open."""
    if one.leads is not True or not one.kernel.get("multipath") or one.mounts or one.kernel.get("holders"):
        return False
    try:
        return host.looks.whole and not holders.seen(host, one)
    except (OSError, Fault):
        return False
