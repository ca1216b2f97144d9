"""The trees that users get, built once and cached, and a host that has nothing but a C library."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from instorage.version import VERSION
from tools.dist import archive, toolchain
from tools.install import ROOT
from tools.lab.progress import to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Of the host's, what tools.dist.glibc lets our files ask for.
LIBRARIES = (
    "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libgcc_s.so.1",
)  # fmt: skip
LOADERS = {
    "x86_64": ("ld-linux-x86-64.so.2", "lib64", "x86-64"),
    "aarch64": ("ld-linux-aarch64.so.1", "lib", "AArch64"),
}


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive's folder for this machine, unpacked; nobody may change it."""
    native = toolchain.native()
    subprocess.run(["make", "-s", "stub"], cwd=ROOT, check=True, timeout=600)
    return archive.stage(native, tmp_path_factory.mktemp("staged"), to_stderr)


@pytest.fixture(scope="session")
def bare(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A host with a C library, both our parts, and not even a shell: runs a program there."""
    root = tmp_path_factory.mktemp("bare")
    name, loader, kind = LOADERS[toolchain.native()]
    argv = ["/sbin/ldconfig", "-p"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    paths = {line.split()[0]: line.split()[-1] for line in shown.splitlines() if kind in line}
    for library in LIBRARIES:
        (root / "lib64").mkdir(exist_ok=True)
        shutil.copy(paths[library], root / "lib64" / library)
    (root / loader).mkdir(exist_ok=True)
    shutil.copy(f"/{loader}/{name}", root / loader / name)
    (root / "usr/lib/instorage").mkdir(parents=True)
    shutil.copytree(staged / "node", root / "usr/lib/instorage" / VERSION, symlinks=True)
    shutil.copytree(staged / "inspur-instorage-provisioner", root / "srv/provisioner", symlinks=True)

    def run(*argv: str) -> str:
        done = subprocess.run(
            ["/usr/bin/env", "-i", "LD_LIBRARY_PATH=/lib64", "/usr/sbin/chroot", root, *argv],
            capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout

    return run
