"""What a tree's compiled files ask of a host: no younger glibc than ours, and no library but it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.dist.toolchain import GLIBC
from tools.lab.fault import LabFault

MAGIC: Final = b"\x7fELF"
# glibc's own, the loader's name of each processor, and GCC's unwinder, which glibc itself loads.
OF_THE_HOST: Final = re.compile(
    r"lib(c|m|dl|rt|util|pthread)\.so\.[0-9]+|ld-linux-(x86-64|aarch64)\.so\.[0-9]|libgcc_s\.so\.1"
)
LIMIT: Final = 60  # seconds for one file
_SYMBOL = re.compile(r"Name: GLIBC_([0-9.]+)")
_NEEDED = re.compile(r"\(NEEDED\)\s+Shared library: \[(.*)\]")


def compiled(tree: Path) -> Iterator[Path]:
    """Return the ELF files below a folder."""
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(len(MAGIC)) == MAGIC:
                    yield path


def complaints(tree: Path) -> list[str]:
    """Return a sentence for each compiled file below `tree` that would not load everywhere."""
    files = list(compiled(tree))
    brought = {path.name for path in files}
    return [
        f"{path.relative_to(tree)} {complaint}" for path in files for complaint in _complaints(path, brought)
    ]


def _complaints(path: Path, brought: set[str]) -> Iterator[str]:
    shown = _read(path)
    youngest = max(map(_number, _SYMBOL.findall(shown)), default=())
    if youngest > _number(GLIBC):
        yield f"needs glibc {'.'.join(map(str, youngest))}, younger than {GLIBC}"
    for library in _NEEDED.findall(shown):
        if library not in brought and not OF_THE_HOST.fullmatch(library):
            yield f"needs {library} of the host"


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _read(path: Path) -> str:
    argv = ["/usr/bin/readelf", "--wide", "--dynamic", "--version-info", str(path)]
    environment = {"LC_ALL": "C"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        raise LabFault("dist-unreadable", f"readelf cannot read {path}: {done.stderr[-500:]}")
    return done.stdout
