"""The files of a part as they lie on a host, as a tar: `python -m tools.install DESTINATION|- [--part PART]`.

The node's part and the provisioner's share no file, so that a host may have either or both. Third-party
packages live in a virtual environment of the part; our packages lie beside them, compiled once
here (a guest under emulation compiles twelve times slower). The programs are scripts of ours with a
shebang, not `python -m`, so that SELinux can label them (security.md, systemd).
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import py_compile
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
OLDER = ROOT / "systemd/older"  # for systemds that a host with Python 3.11 has not
LIBEXEC = "usr/libexec/instorage"
PLUGIN = "usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume"
PROVISIONER = "opt/inspur-instorage-provisioner"
STUB = ROOT / "build/flexvolume-stub/instorage-flexvolume"
SITE = "lib/python3.11/site-packages"
SCRIPT = """#!/{prefix}/bin/python3 -I
import sys
from {module} import main

sys.exit(main())
"""


@dataclass(frozen=True)
class Part:
    """What is installed by itself: `prefix` is its virtual environment, `programs` maps paths to modules."""

    prefix: str
    directories: tuple[str, ...]
    programs: Mapping[str, str]
    packages: tuple[str, ...]
    stub: bool = False

    def owns(self, unit: Path) -> bool:
        """Say whether a file of systemd/ belongs to this part: all are the node's but the provisioner's."""
        return (unit.stem == "instorage-provisioner") is (self is THE_PROVISIONER)


NODE = Part(
    prefix="usr/lib/instorage",
    directories=(PLUGIN, f"{PLUGIN}/config", f"{PLUGIN}/log", "etc/instorage", LIBEXEC),
    programs={
        f"{LIBEXEC}/instorage-nodeagent": "nodeagent.__main__",
        f"{LIBEXEC}/instorage-helper": "helper.__main__",
        f"{LIBEXEC}/instorage-helper-thaw": "helper.thaw",
        f"{LIBEXEC}/instorage-helper-shutdown": "helper.shutdown",
        f"{LIBEXEC}/instorage-helper-defaults": "nodeagent.administration.helper_defaults",
        f"{LIBEXEC}/instorage-ext": "nodeagent.administration.ext",
        "usr/sbin/instoragectl": "nodeagent.administration.ctl",
    },
    packages=("instorage", "helper", "nodeagent"),
    stub=True,
)
THE_PROVISIONER = Part(
    prefix=f"{PROVISIONER}/python",
    directories=(PROVISIONER, f"{PROVISIONER}/config"),
    programs={
        f"{PROVISIONER}/instorage-provisioner": "provisioner.__main__",
        f"{PROVISIONER}/instoragectl": "provisioner.ctl",
    },
    packages=("instorage", "provisioner"),
)
PARTS = {"node": NODE, "provisioner": THE_PROVISIONER}


@dataclass(frozen=True)
class Item:
    """A file, or a directory when `content` is None; `path` without a leading slash."""

    path: str
    mode: int
    content: bytes | None = None


def items(replaced: Mapping[str, bytes] | None = None, part: Part = NODE) -> Iterator[Item]:
    """Every file and directory of a part, parents first; `replaced` are sources of a tests' build."""
    for directory in part.directories:
        yield Item(directory, 0o755)
    if part.stub:
        yield Item(f"{PLUGIN}/instorage-flexvolume", 0o755, STUB.read_bytes())
    for path, module in part.programs.items():
        yield Item(path, 0o755, SCRIPT.format(prefix=part.prefix, module=module).encode())
    for unit in sorted((ROOT / "systemd").rglob("*.*")):
        if unit.is_file() and part.owns(unit) and OLDER not in unit.parents:
            yield Item(_unit_path(unit), 0o644, unit.read_bytes())
    for package in part.packages:
        yield from _package(package, f"{part.prefix}/{SITE}", replaced or {})


def _unit_path(unit: Path) -> str:
    """Units go to system/, «sysusers.d/x.conf» and «tmpfiles.d/x.conf» to the directories of those names."""
    relative = unit.relative_to(ROOT / "systemd")
    directory = relative.parts[0] if len(relative.parts) > 1 else "systemd/system"
    return f"usr/lib/{directory}/{relative.name}"


def _package(package: str, site: str, replaced: Mapping[str, bytes]) -> Iterator[Item]:
    for source in sorted((ROOT / package).rglob("*")):
        path = f"{site}/{source.relative_to(ROOT)}"
        if source.is_file() and "__pycache__" not in source.parts:
            content = replaced.get(str(source.relative_to(ROOT)), source.read_bytes())
            yield Item(path, 0o644, content)
            if source.suffix == ".py":
                yield Item(importlib.util.cache_from_source(path), 0o644, _compiled(content, f"/{path}"))


def _compiled(content: bytes, shown: str) -> bytes:
    """Return the bytecode with an unchecked hash: no time stamp decides whether it is used."""
    with tempfile.NamedTemporaryFile(suffix=".py") as source, tempfile.NamedTemporaryFile() as target:
        source.write(content)
        source.flush()
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(source.name, target.name, dfile=shown, doraise=True, invalidation_mode=mode)
        return Path(target.name).read_bytes()


def as_tar(replaced: Mapping[str, bytes] | None = None, part: Part = NODE) -> bytes:
    """Return a part's tree as an uncompressed tar, everything owned by root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for item in items(replaced, part):
            entry = tarfile.TarInfo(item.path)
            entry.mode = item.mode
            if item.content is None:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                entry.size = len(item.content)
                tar.addfile(entry, io.BytesIO(item.content))
    return buffer.getvalue()


def put(root: Path, tree: Iterable[Item]) -> None:
    """Put a tree below `root`, each file in the place of the one that is there, running or not.

    A directory that is there keeps its owner and mode: `log/` may be the agent's. A file is never written in
    place: kubelet may be executing the stub (ETXTBSY), and half a program must not be executed.
    """
    for item in tree:
        path = root / item.path
        if item.content is None:
            if not path.is_dir():
                path.mkdir(parents=True)
                path.chmod(item.mode)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")  # kubelet does not look at names with a dot
        with open(beside, "wb") as file:
            os.fchmod(file.fileno(), item.mode)
            file.write(item.content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def main() -> int:
    """Write the tar to standard output, or unpack it below a directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("destination", help="a directory («/» installs on this host), or «-» for a tar")
    parser.add_argument("--part", choices=PARTS, default="node", help="default: %(default)s")
    given = parser.parse_args()
    os.umask(0o022)
    part = PARTS[given.part]
    if given.destination == "-":
        sys.stdout.buffer.write(as_tar(part=part))
    else:
        put(Path(given.destination), items(part=part))
    return 0


if __name__ == "__main__":
    sys.exit(main())
