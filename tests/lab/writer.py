"""A program in a machine that writes to a volume as a database would, and at its end checks what it wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.reachability import wait_until

if TYPE_CHECKING:
    from tools.lab import Machine

PROGRAM = "/usr/local/lib/checking_writer.py"


@dataclass
class Writer:
    """Numbered blocks in `file`, each fsynced, from `start`, or the beginning of the `with` block, on."""

    machine: Machine
    file: str
    unit: str = "checking-writer"

    @property
    def _stop(self) -> str:
        return f"/run/{self.unit}.stop"

    @property
    def _figures(self) -> str:
        return f"/run/{self.unit}.out"

    def __enter__(self) -> Writer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        litter = f"{PROGRAM} {self._stop} {self._figures}"
        self.machine.run(f"touch {self._stop}; systemctl stop {self.unit}; rm -f {litter}", check=False)

    def start(self) -> None:
        """Begin, and wait until it has written."""
        self.machine.put(PROGRAM, Path(__file__).with_name("checking_writer.py").read_bytes())
        self.machine.run(
            f"rm -f {self._stop} {self._figures}; systemd-run -q --collect --unit={self.unit} "
            f"sh -c '{self.machine.python} {PROGRAM} {self.file} {self._stop} > {self._figures} 2>&1'"
        )
        self.goes_on()

    def changed(self) -> str:
        """Return when it wrote last."""
        return self.machine.run(f"stat -c %y {self.file}", check=False).stdout

    def goes_on(self) -> None:
        """Wait until it has written more."""
        before = self.changed()
        wait_until(lambda: self.changed() != before, 60)

    def ends(self) -> dict[str, int]:
        """Have it check what it wrote, and return its figures: `written`, `wrong`, `longest_ms`."""
        self.machine.run(["touch", self._stop])
        wait_until(lambda: bool(self._said()), 60)
        figures: dict[str, int] = json.loads(self._said())
        return figures

    def _said(self) -> str:
        return self.machine.run(["cat", self._figures], check=False).stdout
