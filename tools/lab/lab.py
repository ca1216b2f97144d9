"""A set of machines: the array and its nodes, in a throw-away directory."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.lab.machine import PYTHON, Machine
from tools.lab.progress import Report, to_stderr
from tools.lab.qemu import Boot
from tools.lab.snapshots import snapshots
from tools.lab.topology import ARRAY, MANAGEMENT, ROLES, Role


@dataclass(frozen=True)
class Saved:
    """What a machine is loaded from: its role, its disk with the snapshot, the image's kernel.

    `python` runs the lab's own programs in it.
    """

    role: Role
    disk: Path
    boot: Boot
    python: str = PYTHON


def ordinary(report: Report) -> dict[str, Saved]:
    """Return the ordinary lab's machines by name; builds what the cache lacks."""
    folder, boot = snapshots(report)
    return {name: Saved(role, folder / f"{name}.qcow2", boot) for name, role in ROLES.items()}


class Lab:
    """Machines that live as long as the `with` block, and never longer than this process.

    A machine is loaded when it is first asked for; `start` loads the array and the nodes side by side.
    """

    def __init__(
        self,
        nodes: Sequence[str] = ("a",),
        directory: Path | None = None,
        report: Report = to_stderr,
        machines: Callable[[Report], Mapping[str, Saved]] = ordinary,
    ) -> None:
        """Prepare a lab; builds images and snapshots if the cache lacks them (minutes, once).

        `machines` gives another kind of machines, as `tools.kube.machines.with_kubelet` does, or
        `tools.lab.releases.of(BULLSEYE)`.
        """
        self.nodes = tuple(nodes)
        saved = machines(report)
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"lab-{os.getpid()}-"))
        self._machines: dict[str, Machine] = {}
        for name in (ARRAY, *self.nodes):
            own = self.directory / name
            litter = self.directory if self._temporary else own
            machine = Machine(saved[name].role, own, saved[name].disk, saved[name].boot, litter)
            machine.python = saved[name].python
            self._machines[name] = machine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def array(self) -> Machine:
        """The array's machine, running."""
        return self.machine(ARRAY)

    def node(self, name: str) -> Machine:
        """Return node `a` or `b`, running."""
        return self.machine(name)

    def machine(self, name: str) -> Machine:
        """Return a machine by its role's name; loads it the first time."""
        machine = self._machines[name]
        machine.ensure_loaded()
        return machine

    @property
    def machines(self) -> list[Machine]:
        """The machines loaded so far."""
        return [machine for machine in self._machines.values() if machine.ever_loaded]

    def management_socket(self, address: str = "10.0.2.100") -> Path:
        """Return the unix socket on which whoever plays the array listens: nodes reach it at `address`:22."""
        return self.directory / MANAGEMENT[address]

    def start(self, *names: str) -> None:
        """Load those of the named machines (all without a name) that were not loaded yet, side by side."""
        wanted = [self._machines[name] for name in names or self._machines]
        self._side_by_side("ensure_loaded", wanted)

    def fresh(self) -> None:
        """Replace every loaded machine, running or not, by a fresh one, side by side."""
        self._side_by_side("reload", self.machines)

    def end(self) -> None:
        """End all machines and remove their files."""
        for machine in self._machines.values():
            machine.end()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def _side_by_side(method: str, machines: list[Machine]) -> None:
        if machines:
            with ThreadPoolExecutor(len(machines)) as pool:
                list(pool.map(lambda machine: getattr(machine, method)(), machines))
