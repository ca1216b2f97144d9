"""A part's own Python: interpreter, library and third-party packages, trimmed and compiled."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tools.dist import glibc, interpreter, sources, toolchain
from tools.dist.wheels import unpack, wheels
from tools.install import PARTS, SITE
from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.progress import Report, step

# Below lib/python3.11: what no daemon needs, or cannot have because a module for it is not in the program.
UNUSED_LIBRARY: Final = (
    "test", "idlelib", "tkinter", "turtle.py", "turtledemo", "ensurepip", "venv", "lib2to3", "distutils",
    "pydoc_data", "curses", "dbm", "msilib", "wsgiref", "xmlrpc", "xml", "antigravity.py", "this.py",
    "crypt.py", "lzma.py", "bz2.py", "__phello__", "_bootsubprocess.py", "_pydecimal.py", "*/test", "*/tests",
    "*.orig", "cgi.py", "cgitb.py", "ctypes/macholib",
)  # fmt: skip
# Of third-party packages: what makes bindings, a runner of commands, a second client that nothing here uses,
# and what that one stands on; lists of parts, which repeat the metadata.
UNUSED_PACKAGES: Final = (
    "cffi", "cffi-*", "pycparser", "pycparser-*", "invoke", "invoke-*", "kubernetes/aio", "aiohttp*",
    "aiosignal*", "aiohappyeyeballs*", "frozenlist*", "multidict*", "propcache*", "yarl*", "attr", "attrs*",
    "*.dist-info/sboms",
)  # fmt: skip
COMPILE_LIMIT: Final = 600  # seconds
STRIP_LIMIT: Final = 60  # seconds


def runtime(part: str, arch: str, report: Report) -> Path:
    """Return a folder with `bin/python3`, `lib/`, `licences/`, which runs from wherever it is put; cached."""
    python, packages = interpreter.interpreter(arch, report), wheels(part, arch, report)
    own = interpreter.interpreter(toolchain.native(), report)
    prefix = PARTS[part].prefix
    hashed = cache.key(Path(__file__), python.name, packages.name, prefix)

    def make(folder: Path) -> None:
        with step(report, f"tree of the {part} for {arch}"):
            assemble(folder, python, packages)
            _strip(folder / SITE, arch)
            compile_all(folder, own, f"/{prefix}", "lib")

    return cache.layer(f"tree-{part}-{arch}", hashed, make, report, below=sources.root())


def compile_all(folder: Path, own: Path, shown: str, *below: str) -> None:
    """Compile what lies in the folders `below` one of a tree, in a process of its own; LabFault if it cannot.

    What comes out depends on what else the process has loaded, so nothing else is. The files hold no time and
    an unchecked hash; they say that they lie below `shown`. `own` is a Python of this machine.
    """
    options = ("-q", "--invalidation-mode=unchecked-hash", "-s", str(folder), "-p", shown)
    places = [str(folder / one) for one in below]
    argv = [f"{own}/bin/{interpreter.NAME}", "-S", "-m", "compileall", *options, *places]
    environment = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C"}
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=COMPILE_LIMIT, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        raise LabFault("dist-not-compiled", f"compileall ended with {done.returncode}: {said}")


def assemble(folder: Path, python: Path, packages: Path) -> None:
    """Lay out an interpreter, its library and the wheels of the folder `packages`, trimmed."""
    made_by_itself = shutil.ignore_patterns("__pycache__")  # whoever ran it there had times compared in these
    for name in ("bin", "lib", "licences"):
        shutil.copytree(python / name, folder / name, ignore=made_by_itself)
    (folder / "bin/python3").symlink_to(interpreter.NAME)
    library, site = folder / "lib" / interpreter.NAME, folder / SITE
    remove(library, UNUSED_LIBRARY)
    site.mkdir(exist_ok=True)
    for wheel in sorted(packages.glob("*.whl")):
        unpack(wheel, site)
    remove(site, UNUSED_PACKAGES)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _strip(site: Path, arch: str) -> None:
    """Take from the wheels' compiled files what only a debugger reads: a sixth of a node's part."""
    for compiled in glibc.compiled(site):
        argv = [f"/usr/bin/{toolchain.triplet(arch)}-strip", "--strip-unneeded", str(compiled)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=STRIP_LIMIT, check=False)
        if done.returncode:
            raise LabFault(
                "dist-not-stripped", f"{argv[0]} cannot strip {compiled.name}: {done.stderr[-500:]}"
            )


def remove(folder: Path, patterns: tuple[str, ...]) -> None:
    """Take away what the patterns find below a folder, whole where it is a folder."""
    for pattern in patterns:  # one after the other: what one takes away the next does not find
        for path in list(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
