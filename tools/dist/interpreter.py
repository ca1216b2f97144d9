"""CPython for an old glibc, every extension module inside the program, so that no library is looked for.

Neither `make install` nor setup.py has a part in it: both look at what the building host has in /usr. The
program finds its library by its own place: a directory that holds `bin/` and `lib/` may be anywhere.
"""

import re
import shutil
from pathlib import Path
from typing import Final

from tools.dist import sources, toolchain
from tools.dist.libraries import libraries
from tools.dist.workshop import PLACE, Workshop
from tools.lab import cache
from tools.lab.progress import Report, step

NAME: Final = "python3.11"
PREFIX: Final = "/usr/lib/instorage"  # what is compiled in, for a program that finds no library beside it
SETUP: Final = Path(__file__).with_name("Setup.local")
PROFILE: Final = Path(__file__).with_name("start.prof")
"""How often each line is executed when helper and agent start: tools/dist/sampling.py makes it."""
OPTIONS: Final = (
    f"--prefix={PREFIX}", "--enable-ipv6", "--without-ensurepip", "--disable-test-modules",
    "--without-doc-strings", "--with-pkg-config=no",
)  # fmt: skip
# zig keeps frame pointers by itself; with them, and with -fPIC, a helper starts a twentieth slower.
_COMMON: Final = "-DNDEBUG -fwrapv -fdebug-info-for-profiling"
OPTIMISED: Final = f"{_COMMON} -O3 -fomit-frame-pointer -g1 -fprofile-sample-use={PLACE}/{PROFILE.name}"
SAMPLED: Final = f"{_COMMON} -O0 -g -gdwarf-4 -fno-pie"  # each instruction is one line's, at its own address
# What configure asks by running a program, which it cannot for another processor; found out on Linux.
ANSWERS: Final = {
    "ac_cv_aligned_required": "no",
    "ac_cv_broken_sem_getvalue": "no",
    "ac_cv_buggy_getaddrinfo": "no",
    "ac_cv_computed_gotos": "yes",
    "ac_cv_file__dev_ptc": "no",
    "ac_cv_file__dev_ptmx": "yes",
    "ac_cv_posix_semaphores_enabled": "yes",
    "ac_cv_pthread_system_supported": "yes",
    "ac_cv_working_tzset": "yes",
}


def interpreter(arch: str, report: Report) -> Path:
    """Return a folder with `bin/python3.11`, `lib/python3.11`, untrimmed, and `licences/`; cached."""
    here = Path(__file__)
    needed = libraries(arch, report)
    inputs = (here, SETUP, PROFILE, here.with_name("workshop.py"), toolchain.digest(), *sources.MENDING)
    own = None if arch == toolchain.native() else interpreter(toolchain.native(), report)
    hashed = cache.key(*inputs, needed.name, arch, own.name if own else "")

    def make(folder: Path) -> None:
        with step(report, f"Python for {arch}"):
            _build(folder, arch, needed, own, report, OPTIMISED, "-s")

    return cache.layer(f"python-{arch}", hashed, make, report, below=sources.root())


def sampled(report: Report) -> Path:
    """Return the same for this machine, not optimised, with what tells a line from an instruction; cached."""
    arch = toolchain.native()
    needed = libraries(arch, report)
    hashed = cache.key(Path(__file__), SETUP, toolchain.digest(), needed.name, *sources.MENDING)

    def make(folder: Path) -> None:
        with step(report, "Python to sample"):
            _build(folder, arch, needed, None, report, SAMPLED, "-no-pie")

    return cache.layer("sampled-python", hashed, make, report, below=sources.root())


def _build(
    folder: Path, arch: str, needed: Path, own: Path | None, report: Report, compiled: str, linked: str
) -> None:
    work = folder / "work"
    work.mkdir()
    workshop = Workshop(work, arch, report)
    workshop.source(NAME)
    shutil.copytree(needed, work / "needed")
    shutil.copy(SETUP, work / NAME / "Modules/Setup.local")
    shutil.copy(PROFILE, work)
    flags = _flags(arch, own) | {"OPT": compiled, "LDFLAGS": f"-L{PLACE}/needed/lib {linked}"}
    workshop.run("./configure", *OPTIONS, *_across(arch, own), cwd=NAME, **flags)
    workshop.run("make", workshop.jobs, "python", cwd=NAME)
    workshop.run("make", "pybuilddir.txt", cwd=NAME)
    _collect(work / NAME, folder)
    shutil.copytree(needed / "licences", folder / "licences")
    shutil.copy(work / NAME / "debian/copyright", folder / "licences/python3.11")
    shutil.rmtree(work)


def _across(arch: str, own: Path | None) -> tuple[str, ...]:
    """Return what configure needs for another processor: a Python of the same version that runs here."""
    if own is None:
        return ()
    hosts = (f"--host={toolchain.triplet(arch)}", f"--build={toolchain.triplet(toolchain.native())}")
    return (*hosts, f"--with-build-python={own}/bin/{NAME}")


def _flags(arch: str, own: Path | None) -> dict[str, str]:
    """Return the compiler and what it needs to know of the processor."""
    return {
        "CC": "cc",
        "CXX": "c++",
        "AR": "ar",
        "READELF": f"{toolchain.triplet(arch)}-readelf",  # a plain one is refused for another processor
        "CFLAGS": "",
        "CPPFLAGS": f"-I{PLACE}/needed/include",
        **(ANSWERS if own else {}),
    }


def _collect(tree: Path, folder: Path) -> None:
    """Take program and library out of the built tree, and what sysconfig says of it, without the path."""
    (folder / "bin").mkdir()
    shutil.copy(tree / "python", folder / "bin" / NAME)
    library = folder / "lib" / NAME
    shutil.copytree(tree / "Lib", library, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    (library / "lib-dynload").mkdir()  # empty, and looked for: without it each start would complain
    (described,) = (tree / (tree / "pybuilddir.txt").read_text().strip()).glob("_sysconfigdata_*.py")
    text = re.sub(rf"{PLACE}[\w./-]*", PREFIX, described.read_text())
    (library / described.name).write_text(text)
