"""The files of the node part as they lie on a host, as a tar: `python -m tools.install DESTINATION | -`.

Third-party packages live in a virtual environment at `PREFIX`; our packages lie beside them, compiled once
here (a guest under emulation compiles twelve times slower). The programs are scripts of ours with a
shebang, not `python -m`, so that SELinux can label them (security.md, systemd).
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import py_compile
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "usr/lib/instorage"
PACKAGES = f"{PREFIX}/lib/python3.11/site-packages"
LIBEXEC = "usr/libexec/instorage"
PLUGIN = "usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume"
STUB = ROOT / "build/flexvolume-stub/instorage-flexvolume"
PROGRAMS = {
    "instorage-nodeagent": "nodeagent.__main__",
    "instorage-helper": "helper.__main__",
    "instorage-helper-defaults": "nodeagent.helper_defaults",
    "instorage-ext": "nodeagent.ext",
}
COMMANDS = {"instoragectl": "nodeagent.ctl"}  # for people: in their path
SCRIPT = """#!/{prefix}/bin/python3 -I
import sys
from {module} import main

sys.exit(main())
"""


@dataclass(frozen=True)
class Item:
    """A file, or a directory when `content` is None; `path` without a leading slash."""

    path: str
    mode: int
    content: bytes | None = None


def items(replaced: Mapping[str, bytes] | None = None) -> Iterator[Item]:
    """Every file and directory of the node part, parents first; `replaced` are sources of a tests' build."""
    for directory in (PLUGIN, f"{PLUGIN}/config", f"{PLUGIN}/log", "etc/instorage", LIBEXEC):
        yield Item(directory, 0o755)
    yield Item(f"{PLUGIN}/instorage-flexvolume", 0o755, STUB.read_bytes())
    for folder, programs in ((LIBEXEC, PROGRAMS), ("usr/sbin", COMMANDS)):
        for name, module in programs.items():
            yield Item(f"{folder}/{name}", 0o755, SCRIPT.format(prefix=PREFIX, module=module).encode())
    for unit in sorted((ROOT / "systemd").rglob("*.*")):
        if unit.is_file():
            yield Item(_unit_path(unit), 0o644, unit.read_bytes())
    for package in ("instorage", "helper", "nodeagent"):
        yield from _package(package, replaced or {})


def _unit_path(unit: Path) -> str:
    """Units go to system/, «sysusers.d/x.conf» and «tmpfiles.d/x.conf» to the directories of those names."""
    relative = unit.relative_to(ROOT / "systemd")
    directory = relative.parts[0] if len(relative.parts) > 1 else "systemd/system"
    return f"usr/lib/{directory}/{relative.name}"


def _package(package: str, replaced: Mapping[str, bytes]) -> Iterator[Item]:
    for source in sorted((ROOT / package).rglob("*")):
        path = f"{PACKAGES}/{source.relative_to(ROOT)}"
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


def as_tar(replaced: Mapping[str, bytes] | None = None) -> bytes:
    """Return the tree as an uncompressed tar, everything owned by root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for item in items(replaced):
            entry = tarfile.TarInfo(item.path)
            entry.mode = item.mode
            if item.content is None:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                entry.size = len(item.content)
                tar.addfile(entry, io.BytesIO(item.content))
    return buffer.getvalue()


def main() -> int:
    """Write the tar to standard output, or unpack it below a directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("destination", help="a directory («/» installs on this host), or «-» for a tar")
    destination = parser.parse_args().destination
    if destination == "-":
        sys.stdout.buffer.write(as_tar())
        return 0
    with tarfile.open(fileobj=io.BytesIO(as_tar())) as tar:
        tar.extractall(destination)
    return 0


if __name__ == "__main__":
    sys.exit(main())
