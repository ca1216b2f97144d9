"""Tripwires in the place of the helper's work: each counts, and refuses."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from helper import (
    abandoned,
    attach,
    barrier,
    bind,
    child,
    detach,
    freeze,
    growth,
    hostlock,
    iscsi,
    journal,
    mount,
    mounted,
    settings,
    unmount,
    volume,
)
from instorage.wire.fault import Code, Fault
from tools.fuzz.result import FoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIPPED = "The tripwire was met."


class Tripwire:
    """Stands where work begins."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: object, **__: object) -> Any:  # noqa: ANN401
        """Count, and refuse."""
        self.count += 1
        raise Fault(Code.LOCK_TIMEOUT, TRIPPED)


class Journal:
    """Takes the helper's records and looks for one that could pass for two."""

    NOW = 0

    @staticmethod
    def send(text: str, *_flags: int, **fields: str) -> None:
        """Check one record."""
        if not all(one.isprintable() for one in (text, *fields.values())) or len(text) > 4000:
            raise FoundError("a journal record can be forged", repr((text, fields)).encode())


@contextlib.contextmanager
def disarmed(directory: Path) -> Iterator[tuple[Tripwire, settings.Settings]]:
    """Put tripwires in the place of work, and everything of /run/instorage below a directory."""
    tripwire, kubelet = Tripwire(), directory / "kubelet"
    wires: dict[tuple[Any, str], object] = {(attach, "hold"): tripwire, (detach, "hold"): tripwire}
    wires |= {(growth, "hold"): tripwire, (barrier, "hold"): tripwire, (freeze.Freezer, "_begin"): tripwire}
    wires |= {(module, name): tripwire for module in (mount, bind, unmount) for name in ("hold", "walk")}
    wires |= {(mounted, "walk"): tripwire, (journal, "journal"): Journal}
    wires |= {
        (abandoned, "FOLDER"): str(directory / "abandoned"),
        (volume, "LOCKS"): str(directory / "volumes"),
    }
    wires |= {(iscsi, "FAILED"): str(directory / "portals"), (iscsi, "USED"): str(directory / "used")}
    wires[(hostlock, "HOST_LOCK")] = str(directory / "host.lock")
    wires[(child, "PRIVATE")] = set()
    before = {(where, name): getattr(where, name) for where, name in wires}
    for (where, name), value in wires.items():
        setattr(where, name, value)
    kubelet.mkdir(exist_ok=True)
    try:
        yield tripwire, settings.Settings(roots=(str(kubelet),), lock_path=str(directory / "yaml"))
    finally:
        for (where, name), value in before.items():
            setattr(where, name, value)
