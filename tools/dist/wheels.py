"""The third-party packages of a part, as its lock file pins them, for a processor and an old glibc."""

import re
import sys
import zipfile
from pathlib import Path
from typing import Final

from tools.dist import sources
from tools.install import ROOT
from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.progress import Programs, Report, step

PYTHON: Final = "3.11"
# Each of them has glibc 2.17; pip takes just the names that it is given.
PLATFORMS: Final = ("_2_17", "2014", "_2_12", "2010", "_2_5", "1")
SOURCES_ONLY: Final = ("sdnotify",)
"""What is on no index as a wheel: pure Python, made into one here."""


def wheels(part: str, arch: str, report: Report) -> Path:
    """Return a folder with the wheels of a part's lock file; half a minute and the network, then cached."""
    lock = ROOT / f"requirements-{part}.lock"
    hashed = cache.key(Path(__file__), lock, arch)

    def make(folder: Path) -> None:
        with step(report, f"wheels of the {part} for {arch}"):
            _download(folder, lock.read_text(), arch)

    return cache.layer(f"wheels-{part}-{arch}", hashed, make, report, below=sources.root())


def unpack(wheel: Path, site: Path) -> None:
    """Put a wheel's packages, and its licences with its metadata, into a folder of site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        strange = [name for name in archive.namelist() if name.split("/")[0].endswith(".data")]
        if strange:
            raise LabFault("dist-strange-wheel", f"{wheel.name} has {strange[0]}, which is not put anywhere.")
        archive.extractall(site)


def split(lock: str) -> tuple[str, str]:
    """Return the requirements that have wheels, and those that are made into wheels here."""
    blocks = re.findall(r"^[\w.-]+==.*\n(?:[ \t]+.*\n)*", lock, re.MULTILINE)
    bare = [block for block in blocks if block.startswith(tuple(f"{name}==" for name in SOURCES_ONLY))]
    return "".join(block for block in blocks if block not in bare), "".join(bare)


def _download(folder: Path, lock: str, arch: str) -> None:
    programs = Programs(folder / "log")
    ready, bare = (folder / "ready.txt", folder / "bare.txt")
    for file, text in zip((ready, bare), split(lock), strict=True):
        file.write_text(text)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    pinned = ("--require-hashes", "--no-deps")
    platforms = [f"--platform=manylinux{age}_{arch}" for age in PLATFORMS]
    target = ("--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}", *platforms)
    programs.run(*pip, "download", *pinned, *target, "-d", str(folder), "-r", str(ready))
    programs.run(*pip, "wheel", *pinned, "--no-build-isolation", "-w", str(folder), "-r", str(bare))
    for made in folder.glob("*.whl"):
        if made.name.startswith(SOURCES_ONLY) and not made.name.endswith("-none-any.whl"):
            raise LabFault("dist-compiled", f"{made.name} was compiled for this machine: find it a wheel.")
    ready.unlink()
    bare.unlink()
