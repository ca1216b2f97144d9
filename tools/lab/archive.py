"""The archive that administrators get, on a node: copied there, unpacked, its `install.sh` run.

Nothing of the checkout reaches the node but through it. It has one folder, named as itself.
"""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tools.install import ROOT
from tools.lab.fault import LabFault

if TYPE_CHECKING:
    from pathlib import Path

    from tools.lab.channel import Result
    from tools.lab.machine import Machine

GUEST_FOLDER = "/root"
BUILD_LIMIT = 1800  # seconds, from nothing
INSTALL_LIMIT = 300  # seconds, in an emulated machine


@dataclass(frozen=True)
class Archive:
    """`instorage-k8s_VERSION_ARCHITECTURE.tar.gz`."""

    path: Path

    @property
    def name(self) -> str:
        """The name of its one folder."""
        return self.path.name.removesuffix(".tar.gz")

    @property
    def version(self) -> str:
        """The version in its name."""
        return self.name.split("_")[1]

    def put_on(self, machine: Machine) -> None:
        """Copy it to a node and unpack it there."""
        packed = f"{GUEST_FOLDER}/{self.path.name}"
        machine.put(packed, self.path.read_bytes())
        machine.run(f"tar -C {GUEST_FOLDER} -xzf {packed} && rm {packed}", INSTALL_LIMIT)

    def run(self, machine: Machine, *options: str, check: bool = True) -> Result:
        """Run its installer on a node that it was put on; CommandFailed with `check` when that fails."""
        script = f"cd {GUEST_FOLDER}/{self.name} && ./install.sh {' '.join(options)}"
        return machine.run(script, INSTALL_LIMIT, check=check)

    def later(self, folder: Path) -> Archive:
        """Write what it holds under a later version into a folder; return that archive."""
        major, minor, patch = self.version.split(".")[:3]
        version = f"{major}.{minor}.{int(patch) + 1}"
        new = Archive(folder / self.path.name.replace(self.version, version))
        with tarfile.open(self.path) as source, tarfile.open(new.path, "w:gz", compresslevel=1) as target:
            for member in source:
                content = source.extractfile(member) if member.isfile() else None
                if member.name == f"{self.name}/VERSION":
                    text = f"{version}\n".encode()
                    member.size, content = len(text), io.BytesIO(text)
                member.name = member.name.replace(self.name, new.name, 1)
                if member.islnk():
                    member.linkname = member.linkname.replace(self.name, new.name, 1)
                target.addfile(member, content)
        return new


@cache
def built() -> Archive:
    """Make this checkout's archive for this processor, once a process; LabFault if it cannot."""
    into, arch = ROOT / "build/dist", platform.machine()
    argv = [sys.executable, "-m", "tools.dist", "--arch", arch, "--into", str(into)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=BUILD_LIMIT)
    if done.returncode:
        raise LabFault("lab-no-archive", f"tools.dist ended with {done.returncode}: {done.stderr[-3000:]}")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return Archive(into / f"instorage-k8s_{version}_{arch}.tar.gz")
