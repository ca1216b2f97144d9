"""The C library of another processor, from Debian: what user emulation starts our Python with."""

import shutil
from pathlib import Path
from typing import Final

from tools import debian
from tools.dist import sources
from tools.lab import cache
from tools.lab.progress import Programs, Report, step

ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
PACKAGES: Final = ("libc6", "libgcc-s1")


def library(arch: str, report: Report) -> Path:
    """Return a folder that holds it as a root does, for `qemu-ARCH -L`; cached."""
    hashed = cache.key(debian.RELEASE, *PACKAGES, arch)

    def make(folder: Path) -> None:
        programs = Programs(folder / "log")
        with step(report, f"C library for {arch}"):
            debian.download_binaries(PACKAGES, ARCHITECTURES[arch], folder, programs)
        for package in folder.glob("*.deb"):
            programs.run("dpkg-deb", "-x", package, folder)
            package.unlink()
        shutil.rmtree(folder / "lists")

    return cache.layer(f"glibc-{arch}", hashed, make, report, below=sources.root())
