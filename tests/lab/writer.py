"""A program in a machine that writes to a volume as a database would, and at its end checks what it wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.lab import Machine

BLOCK = 16384  # as of checking_writer.py
PATIENCE = 60  # seconds until it has written more, or has checked what it wrote


@dataclass
class Writer:
    """Numbered blocks in `file`, each fsynced, from `start`, or the beginning of the `with` block, on."""

    machine: Machine
    file: str
    unit: str = "checking-writer"
    rest: float = 0.05
    """Seconds after each block: several writers at once leave an emulated machine too little else."""

    @property
    def _program(self) -> str:
        """A file of its own: several are begun side by side."""
        return f"/usr/local/lib/{self.unit}.py"

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
        litter = f"{self._program} {self._stop} {self._figures}"
        self.machine.run(f"touch {self._stop}; systemctl stop {self.unit}; rm -f {litter}", check=False)

    def start(self) -> None:
        """Begin, and wait until it has written."""
        self.machine.put(self._program, Path(__file__).with_name("checking_writer.py").read_bytes())
        command = f"{self.machine.python} {self._program} {self.file} {self._stop} {self.rest}"
        self.machine.run(
            f"rm -f {self._stop} {self._figures}; systemd-run -q --collect --unit={self.unit} "
            f"sh -c '{command} > {self._figures} 2>&1'"
        )
        self.goes_on()

    def changed(self) -> str:
        """Return when it wrote last."""
        return self.machine.run(f"stat -c %y {self.file}", check=False).stdout

    def blocks(self) -> int:
        """Return how many blocks the file has; all but the last are on the disk."""
        return int(self.machine.run(f"stat -c %s {self.file} || echo 0").stdout) // BLOCK

    def goes_on(self) -> None:
        """Wait until it has written more; a file that cannot be looked at was not written."""
        when = f"stat -c %y {self.file} 2>/dev/null"
        more = f'now=$({when}) && [ "$now" != "$before" ]'
        assert self._becomes(more, f"before=$({when});"), f"{self.file} is not written any more"

    def ends(self) -> dict[str, int]:
        """Have it check what it wrote, and return its figures: `written`, `wrong`, `longest_ms`.

        `wrong` is -1 where it met an error, which it calls `stopped`: see `wrong_of`.
        """
        assert self._becomes(f"[ -s {self._figures} ]", f"touch {self._stop};"), f"{self.unit} does not end"
        figures: dict[str, int] = json.loads(self.machine.read(self._figures))
        return figures

    def wrong_of(self, file: str, written: int) -> int:
        """Return how many of the blocks that it had written are wrong in a file that was mounted anew."""
        self.machine.put(self._program, Path(__file__).with_name("checking_writer.py").read_bytes())
        counted = self.machine.run([self.machine.python, self._program, file, str(written)], PATIENCE).stdout
        return int(counted)

    def _becomes(self, condition: str, first: str = "") -> bool:
        """Wait in the machine: asked from here, each look would cost it a shell of its own."""
        script = f"{first} until {condition}; do [ $SECONDS -lt {PATIENCE} ] || exit 1; sleep 0.1; done"
        return self.machine.run(script, PATIENCE * 2, check=False).exit_status == 0
