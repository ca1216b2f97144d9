"""The barrier file: a broken-off active-active expansion stops attach and detach (manual, chapter 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from nodeagent.node import Operation

NAME = "aa-extend-failure.barrier"


def refuse(operation: Operation) -> None:
    """Raise `Fault(BARRIER)` naming the file while one is there."""
    found = present(operation)
    if found is not None:
        raise Fault(
            Code.BARRIER,
            f"An active-active expansion was broken off on this host: finish it by the plan in {found} and "
            "remove that file; until then nothing is attached or detached here.",
            file=str(found),
        )


def present(operation: Operation) -> Path | None:
    """Return the barrier file that is there, if any."""
    for storage in operation.configuration.storage:
        path = storage.barrier_directory / NAME
        if path.exists():
            return path
    return None
