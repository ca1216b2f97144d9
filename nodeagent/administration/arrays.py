"""`instoragectl arrays`: whether each configured array answers, and what of its policy one meets here."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING, Any

from instorage.operation import overlap
from instorage.privilege import leave_root
from instorage.wire.fault import Fault
from nodeagent.administration import zoned_object
from nodeagent.administration.array import USER, client
from nodeagent.diagnosis.outcome import Outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import HostSettings, StorageSettings


def run(given: argparse.Namespace) -> Outcome:
    """Ask every array, all at once; one that does not answer says why, and hides no other."""
    from instorage.configuration.settings import load

    found = load(given.config, need_host=False)
    with contextlib.suppress(Fault):  # a provisioner's has no host
        found = load(given.config)
    leave_root(USER)
    said = overlap([functools.partial(_asked, entry, found.host) for entry in found.storage])
    return Outcome(_lines(said), {"arrays": said})


def _asked(entry: StorageSettings, host: HostSettings | None) -> dict[str, Any]:
    began = time.monotonic()
    said: dict[str, Any] = {"name": entry.name, "address": entry.address, "port": entry.port}
    with client(entry) as array:
        try:
            said |= {"answers": True, **_facts(array)}
            if host is not None and (remark := zoned_object.remark(array, host)):
                said |= {"host_object": remark}
        except Fault as fault:
            said |= {"answers": False, "fault": fault.to_wire()}
    return said | {"seconds": round(time.monotonic() - began, 3)}


def _facts(array: Array) -> dict[str, Any]:
    protection = array.protection()
    return {
        "protection": {"minutes": protection.minutes, "pools": list(protection.pools)}
        if protection
        else None,
        "portals": [{"portal": str(one.portal), "target": str(one.iqn)} for one in array.iscsi_targets()],
    }


def _lines(said: list[dict[str, Any]]) -> Iterator[str]:
    for one in said:
        if not one["answers"]:
            yield f"Array {one['name']} was not asked: {one['fault']['sentence']}"
            continue
        portals = ", ".join(sorted({portal["portal"] for portal in one["portals"]})) or "none"
        yield f"Array {one['name']} answers. {_protection(one['protection'])}"
        yield f"  {one['address']}, in {one['seconds']:.1f} s; portals: {portals}"
        if "host_object" in one:
            yield f"  {one['host_object']}"


def _protection(protection: dict[str, Any] | None) -> str:
    if protection is None:
        return "Volume protection is off: a volume that is let go is unmapped and deleted at once."
    pools, minutes = ", ".join(protection["pools"]), protection["minutes"]
    return (
        f"Volume protection is on for {minutes} minutes (pools {pools}): so long after the last "
        "I/O a volume is neither unmapped nor deleted, and a pod that moves to another node waits for that. "
        "Shorter: «mcsop chsystem -vdiskprotectiontime MINUTES»; not at all for a pool: «mcsop chmdiskgrp "
        "-vdiskprotectionenabled no POOL»."
    )
