"""What administrators get, on a node: the archive, copied there and unpacked, its `install.sh` run.

Nothing of the checkout reaches the node but through it.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from tools.dist import sources, toolchain
from tools.dist.archive import BESIDE
from tools.install import ROOT
from tools.lab.cache import key, layer
from tools.lab.fault import LabFault
from tools.lab.progress import Report, to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.lab.channel import Result
    from tools.lab.machine import Machine

GUEST_FOLDER: Final = "/root"
BUILD_LIMIT: Final = 1800  # seconds, from nothing
INSTALL_LIMIT: Final = 600  # seconds, in an emulated machine
# Of the checkout, what an archive or a package is made from.
MADE_FROM: Final = (
    *("instorage", "helper", "nodeagent", "provisioner", "packaging", "systemd", *BESIDE),
    *("flexvolume-stub", "tools/dist", "tools/install.py", "tools/lab/archive.py"),
    *("requirements-node.lock", "requirements-provisioner.lock"),
)


@dataclass(frozen=True)
class Unpacked:
    """The archive's folder on a node, in which `install.sh` lies."""

    machine: Machine
    folder: str

    @property
    def version(self) -> str:
        """The version that it would install."""
        return self.machine.read(f"{self.folder}/VERSION").decode().strip()

    def run(self, *options: str, check: bool = True) -> Result:
        """Run its installer; CommandFailed with `check` when that fails."""
        script = f"cd {self.folder} && ./install.sh {shlex.join(options)}"
        return self.machine.run(script, INSTALL_LIMIT, check=check)

    def variant(self, version: str, change: str = "") -> Unpacked:
        """Copy it there under another version; `change` is a script that changes the copy, from inside it."""
        other = Unpacked(self.machine, f"{GUEST_FOLDER}/variant-{version}")
        script = f"rm -rf {other.folder} && cp -a {self.folder} {other.folder} && cd {other.folder}"
        self.machine.run(
            f"set -e; {script}\nrm -f CONTENTS; echo {version} >VERSION\n{change}", INSTALL_LIMIT
        )
        return other


@dataclass(frozen=True)
class Archive:
    """`instorage-k8s_VERSION_ARCHITECTURE.tar.gz`; it has one folder, named as itself."""

    path: Path

    @property
    def name(self) -> str:
        """The name of its one folder."""
        return self.path.name.removesuffix(".tar.gz")

    @property
    def debs(self) -> list[Path]:
        """The Debian packages that were made from the same files."""
        return sorted(self.path.parent.glob("*.deb"))

    def put_on(self, machine: Machine) -> Unpacked:
        """Copy it to a node and unpack it there."""
        packed = f"{GUEST_FOLDER}/{self.path.name}"
        machine.put(packed, self.path.read_bytes())
        machine.run(f"tar -C {GUEST_FOLDER} -xzf {packed} && rm {packed}", INSTALL_LIMIT)
        return Unpacked(machine, f"{GUEST_FOLDER}/{self.name}")


@cache
def built(report: Report = to_stderr) -> Archive:
    """Return this checkout's archive for this processor, its debs beside it; LabFault if it cannot be made.

    From nothing a quarter of an hour, with our Python built before under a minute; kept as long as nothing
    of what it is made from changes.
    """
    arch = toolchain.native()

    def make(folder: Path) -> None:
        _build(arch, folder, report)

    folder = layer(f"archive-{arch}", key(*inputs()), make, report, sources.root())
    return Archive(next(folder.glob("*.tar.gz")))


def inputs() -> Iterator[str | Path]:
    """Everything that makes an archive another: name and content of each file."""
    places = (ROOT / name for name in MADE_FROM)
    files = (file for place in places for file in (place.rglob("*") if place.is_dir() else (place,)))
    for file in sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts):
        yield from (str(file.relative_to(ROOT)), file)


def _build(arch: str, folder: Path, report: Report) -> None:
    argv = [sys.executable, "-m", "tools.dist", "--arch", arch, "--into", str(folder)]
    said: list[str] = []
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as make:
        limit = threading.Timer(BUILD_LIMIT, make.kill)
        limit.start()
        for line in make.stderr or ():
            said.append(line)
            report(line.rstrip())
        limit.cancel()
    if make.returncode:
        raise LabFault("lab-no-archive", f"tools.dist ended with {make.returncode}: {''.join(said)[-3000:]}")
