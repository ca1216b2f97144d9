"""Our own Python as it is built: it asks nothing of a host, starts wherever it lies, has what we import."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from instorage.version import VERSION
from tests.soak import IN_SOAK
from tools.dist import archive, foreign, glibc, interpreter, sources, toolchain, tree
from tools.dist.workshop import PLACE
from tools.install import NODE, PARTS, ROOT, SITE, THE_PROVISIONER
from tools.lab.progress import to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.dist, pytest.mark.slow, pytest.mark.subprocess, pytest.mark.timeout(300)]
ARCHES = [pytest.param(a, marks=() if a == toolchain.native() else IN_SOAK) for a in toolchain.ARCHES]
MEGABYTE = 1_000_000
THIRD_PARTY = (
    "bcrypt",
    "cryptography.hazmat.bindings._rust",
    "nacl.bindings",
    "paramiko",
    "sdnotify",
)
LIBRARY = (
    "ctypes",
    "decimal",
    "hashlib",
    "mmap",
    "sqlite3",
    "ssl",
    "zlib",
    "zoneinfo",
    "multiprocessing.shared_memory",
)
LOAD_ALL = """
import importlib, pkgutil, sys
for name in {names!r}:
    importlib.import_module(name)
for package in {packages!r}:
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(found.name)
print(sys.version.split()[0], sys.flags.isolated, sys.prefix)
"""


def load_all(packages: tuple[str, ...], *further: str) -> str:
    return LOAD_ALL.format(names=(*LIBRARY, *THIRD_PARTY, *further), packages=packages)


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("part", PARTS)
def test_no_compiled_file_asks_for_more_than_an_old_c_library(part: str, arch: str) -> None:
    made = tree.runtime(part, arch, to_stderr)
    assert len(list(glibc.compiled(made))) > 5
    assert glibc.complaints(made) == []


def test_a_host_with_a_c_library_alone_loads_every_module_of_a_node(bare: Callable[..., str]) -> None:
    prefix = f"/{NODE.prefix}"
    said = bare(f"{prefix}/bin/python3", "-I", "-c", load_all(NODE.packages, "pyroute2"))
    assert said == f"3.11.2 1 {prefix}\n"


def test_a_host_with_a_c_library_alone_loads_every_module_of_the_provisioner(
    bare: Callable[..., str],
) -> None:
    prefix = f"/srv/provisioner/python-{VERSION}"
    said = bare(f"{prefix}/bin/python3", "-I", "-c", load_all(THE_PROVISIONER.packages, "kubernetes"))
    assert said == f"3.11.2 1 {prefix}\n"


def test_a_program_starts_by_its_first_line(bare: Callable[..., str]) -> None:
    assert "ext-check-cfg" in bare(f"/{NODE.prefix}/libexec/instorage-ext", "ext-help")


def test_the_provisioner_says_its_version_from_where_the_archive_was_unpacked(staged: Path) -> None:
    argv: list[str | Path] = [staged / "inspur-instorage-provisioner/instorage-provisioner", "-about"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd="/", env={})
    assert done.stdout.startswith(f"instorage-provisioner {VERSION}\n"), done.stderr


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "euc_jp", "euc_kr", "utf-8"])
def test_the_encodings_of_chinese_japanese_and_korean_locales_are_known(
    bare: Callable[..., str], encoding: str
) -> None:
    code = f"print('\\u4e2d'.encode({encoding!r}).decode({encoding!r}) == '\\u4e2d')"
    assert bare(f"/{NODE.prefix}/bin/python3", "-I", "-c", code) == "True\n"


@IN_SOAK  # every day this processor's: ten minutes to build
def test_the_other_processors_python_starts_and_loads_what_is_compiled() -> None:
    (arch,) = set(toolchain.ARCHES) - {toolchain.native()}
    root, made = foreign.library(arch, to_stderr), tree.runtime("node", arch, to_stderr)
    code = f"import importlib, platform; [importlib.import_module(n) for n in {(*LIBRARY, *THIRD_PARTY)!r}]"
    argv: list[str | Path] = [
        f"qemu-{arch}-static",
        "-L",
        root,
        made / "bin/python3",
        "-I",
        "-c",
        f"{code}; print(platform.machine())",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=250, check=False)
    assert (done.stdout, done.stderr) == (f"{arch}\n", "")


def test_the_archives_own_installer_puts_an_image_into_place(staged: Path, tmp_path: Path) -> None:
    """With the archive's Python alone, and whole: what it lays down starts."""
    (image := tmp_path / "image").mkdir()  # that of a test is closed to others
    argv: list[str | Path] = [staged / "install.sh", "--node", "--provisioner", "--root", image]
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (staged / "systemd/older/put.sh").exists(), "systemd 237 would run no service without it"
    for part in PARTS.values():
        for path in (*part.programs, *part.texts, *part.links):
            assert os.path.lexists(image / path), path
    about: list[str | Path] = [image / "opt/inspur-instorage-provisioner/instorage-provisioner", "-about"]
    said = subprocess.run(about, capture_output=True, text=True, timeout=60, check=True, env={}).stdout
    assert said.startswith(f"instorage-provisioner {VERSION}\n")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_a_nodes_part_takes_60_megabytes_and_20_packed(staged: Path, tmp_path: Path) -> None:
    node = staged / "node"
    archive.pack(node, tmp_path / "node.tar.gz", 0)
    print(f"{size(node)} bytes, packed {(tmp_path / 'node.tar.gz').stat().st_size}")
    assert size(node) <= 60 * MEGABYTE
    assert (tmp_path / "node.tar.gz").stat().st_size <= 20 * MEGABYTE


def test_nothing_says_where_or_by_whom_it_was_built(staged: Path) -> None:
    told = [str(place).encode() for place in (PLACE, sources.root(), ROOT)]
    for path in staged.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [place for place in told if place + b"/" in content], path


def test_every_module_is_compiled_and_taken_as_it_is_whatever_its_time(staged: Path) -> None:
    modules = [path for path in staged.rglob("*.py") if "lib/python3.11" in str(path)]
    assert len(modules) > 1000
    for module in modules:
        compiled = module.parent / "__pycache__" / f"{module.stem}.cpython-311.pyc"
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", module  # a hash, not looked at (PEP 552)


def test_what_is_trimmed_is_not_there(staged: Path) -> None:
    for home in (staged / "node", staged / f"inspur-instorage-provisioner/python-{VERSION}"):
        library = home / "lib/python3.11"
        there = {
            path.name for path in (*library.iterdir(), *(home / SITE).iterdir(), *(home / "bin").iterdir())
        }
        assert not there & {
            "test",
            "idlelib",
            "tkinter",
            "ensurepip",
            "distutils",
            "pip",
            "systemd",
            "config",
        }
        assert {path.name for path in (home / "licences").iterdir()} >= {"openssl", "python3.11", "zlib"}


def test_our_packages_are_compiled_alike_each_time(staged: Path, tmp_path: Path) -> None:
    own = interpreter.interpreter(toolchain.native(), to_stderr)
    for package in NODE.packages:
        source = staged / "node" / SITE / package
        shutil.copytree(source, tmp_path / SITE / package, ignore=shutil.ignore_patterns("*.pyc"))
    tree.compile_all(tmp_path, own, f"/{NODE.prefix}", *(f"{SITE}/{package}" for package in NODE.packages))
    made = list(tmp_path.rglob("*.pyc"))
    assert len(made) > 100
    for compiled in made:
        assert compiled.read_bytes() == (staged / "node" / compiled.relative_to(tmp_path)).read_bytes()
