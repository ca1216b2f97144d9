"""The compiler for an old glibc: `zig cc`, which brings the C library's stubs of each age and processor."""

import importlib.util
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault

ARCHES: Final = ("x86_64", "aarch64")
GLIBC: Final = "2.17"
"""CentOS 7's, and the oldest for which wheels are still made (manylinux2014)."""
# Sanitizers are zig's own idea; a date is made the same for every build by SOURCE_DATE_EPOCH.
FLAGS: Final = "-fno-sanitize=undefined -Wno-error=date-time"
EPOCH: Final = "1"  # not 0, which OpenSSL takes for none


def native() -> str:
    """Return this machine's processor; LabFault when it is none of ours."""
    found = platform.machine()
    if found not in ARCHES:
        raise LabFault("dist-no-arch", f"This machine is {found}; the build runs on {' or '.join(ARCHES)}.")
    return found


def triplet(arch: str) -> str:
    """Return what configure calls that processor's Linux."""
    return f"{arch}-linux-gnu"


def digest() -> str:
    """Return what tells one compiler from another."""
    return f"ziglang {version('ziglang')} {GLIBC} {FLAGS} {EPOCH}"


def write(folder: Path, arch: str) -> None:
    """Write `cc`, `ar` and `ranlib` for a processor into `folder`."""
    target = f"-target {triplet(arch)}.{GLIBC}"
    programs = {"cc": f"cc {target} {FLAGS}", "c++": f"c++ {target} {FLAGS}", "ar": "ar", "ranlib": "ranlib"}
    folder.mkdir()
    for name, command in programs.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {_zig()} {command} "$@"\n')
        (folder / name).chmod(0o755)


def _zig() -> Path:
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise LabFault("dist-no-compiler", "ziglang is not installed: run make .venv/.installed.")
    return Path(found.origin).with_name("zig")
