"""`instoragectl volumes`: what this node has, by its records and its kernel. No array is asked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault
from nodeagent.administration.doctor.examination import this_node
from nodeagent.administration.doctor.picture import Picture, pictures
from nodeagent.administration.doctor.run import root
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.host.paths import Paths
from nodeagent.operation import targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

HEADS = ("VOLUME", "ARRAY", "SIZE", "STATE", "PATHS", "PODS", "SINCE")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def run(given: argparse.Namespace) -> Outcome:
    """List the volumes; with `--names` names alone, and nothing where they cannot be read."""
    if given.names:
        with (
            contextlib.suppress(Fault, OSError),
            this_node(Paths.from_environment(), root(), arrays_too=False) as host,
        ):
            return Outcome(sorted(one.name for one in pictures(host)))
        return Outcome()
    with this_node(Paths.from_environment(), root(), arrays_too=False) as host:
        found = listed(host)
    return Outcome(table(found), {"volumes": found})


def listed(host: Host) -> list[dict[str, Any]]:
    """Return each volume as an object; Fault(NOT_ALLOWED) for who may not read the records."""
    try:
        return [_row(one) for one in pictures(host)]
    except PermissionError as error:
        from instorage.wire.fault import Code

        text = f"{error.filename or 'The records'} cannot be read ({error.strerror}): run this as root."
        raise Fault(Code.NOT_ALLOWED, text) from None


def _row(one: Picture) -> dict[str, Any]:
    pods = sorted({pod for mount in one.mounts if (pod := targets.pod_of(str(mount["target"])))})
    working = [path for path in one.paths if path["state"] == "running"]
    size = int(one.kernel.get("size") or one.record.get("size") or 0)
    return {
        "name": one.name, "uid": one.uid, "array": one.array, "size": size, "state": _state(one),
        "paths": len(one.paths), "working_paths": len(working), "map": bool(one.kernel.get("multipath")),
        "pods": pods, "read_only": bool(one.record.get("read_only")),
        "since": str(one.record.get("created", "")), "recorded": bool(one.record),
    }  # fmt: skip


def _state(one: Picture) -> str:
    """Return one word: trouble, mounted, attached (a device, no mount), recorded (no device), unreadable."""
    if one.record.get("unreadable"):
        return "unreadable"
    if any(mount.get("trouble") for mount in one.mounts):
        return "trouble"
    if one.mounts:
        return "mounted"
    return "attached" if one.here else "recorded"


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table."""
    rows = [
        (
            row["name"], row["array"] or "-", human(row["size"]), row["state"],
            f"{row['working_paths']}/{row['paths']}", str(len(row["pods"])), row["since"] or "-",
        )
        for row in found
    ]  # fmt: skip
    widths = [max(len(row[at]) for row in (HEADS, *rows)) for at in range(len(HEADS))]
    for row in (HEADS, *rows):
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
    if not rows:
        yield "No volume is on this node."


def human(size: int) -> str:
    """Return a size (bytes) for people: «10 GiB», «1.5 TiB»."""
    value = float(size)
    for unit in _UNITS[:-1]:
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} {_UNITS[-1]}"
