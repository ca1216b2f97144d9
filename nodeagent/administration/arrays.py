"""`instoragectl arrays`: whether each configured array answers, and what of its policy one meets here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from instorage.wire.fault import Fault
from nodeagent.administration.array import USER, client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instorage.arrays.model import Protection
    from instorage.arrays.protocol import Array


def report(configuration: Path) -> Iterator[str]:
    """Ask every array, one after the other, and yield lines for people; one that does not answer says why."""
    from instorage.configuration.settings import load

    found = load(configuration, need_host=False)
    leave_root(USER)
    for entry in found.storage:
        with client(entry) as array:
            yield _line(array)


def _line(array: Array) -> str:
    try:
        protection = array.protection()
    except Fault as fault:
        return f"Array {array.name} was not asked: {fault}"
    return f"Array {array.name} answers. {_said(protection)}"


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
