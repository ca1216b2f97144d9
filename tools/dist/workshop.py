"""A folder of the cache in which something is built, seen by its builders at one path, always the same.

What compilers and configure scripts write down of their folder is then no difference between two builds.
"""

import os
from pathlib import Path
from typing import Final

from tools.dist import sources, toolchain
from tools.lab.progress import Programs, Report

PLACE: Final = Path("/run/instorage-dist")
INSIDE: Final = f'mount --bind "$0" {PLACE}; cd {PLACE}/"$1"; shift; exec nice "$@"'


class Workshop:
    """Builds below `folder` for a processor; `run` sees it at `PLACE`."""

    def __init__(self, folder: Path, arch: str, report: Report) -> None:
        self.folder, self.arch, self._report = folder, arch, report
        PLACE.mkdir(exist_ok=True)
        toolchain.write(folder / "bin", arch)
        shared = sources.root() / "zig"
        self._environment = {
            "PATH": f"{PLACE}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": toolchain.EPOCH,
            "PKG_CONFIG_LIBDIR": str(PLACE / "nothing"),  # what the host has is not looked at
            "ZIG_GLOBAL_CACHE_DIR": str(shared),
            "ZIG_LOCAL_CACHE_DIR": str(shared),
        }
        self._programs = Programs(folder / "log", self._environment)

    @property
    def jobs(self) -> str:
        """The flag of make for all processors."""
        return f"-j{os.cpu_count() or 1}"

    def source(self, name: str) -> None:
        """Unpack the source package `name` into the folder of its name."""
        sources.unpack(name, self.folder / name, Programs(self.folder / "log"), self._report)

    def run(self, *argv: str, cwd: str = ".", **environment: str) -> None:
        """Run a builder in a folder of the workshop; raises LabFault with the end of its output."""
        given = [f"{name}={value}" for name, value in environment.items()]
        inside: list[str | Path] = ["sh", "-euc", INSIDE, self.folder, cwd, "env", *given, *argv]
        self._programs.run("unshare", "--mount", *inside)
