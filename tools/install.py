"""The files of a part as they lie on a host, as a tar: `python -m tools.install DESTINATION|- [--part PART]`.

The node's part and the provisioner's share no file, so that a host may have either or both. Of each, one
version lies in one directory: its Python with the third-party packages (tools.dist puts our own there, in the
lab and from a checkout it is a virtual environment), our packages, compiled here (a guest under emulation is
twelve times slower), and its programs. A link, replaced by rename, says which version is in use. The
programs are scripts with a shebang, not `python -m`, so that SELinux can label them (security.md, systemd).
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.version import VERSION
from tools.messages import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "usr/lib/instorage"
OLDER = ROOT / "systemd/older"  # the archive brings it, and install.sh picks what a host needs
LIBEXEC = "usr/libexec/instorage"
PLUGIN = "usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume"
PROVISIONER = "opt/inspur-instorage-provisioner"
STUB = ROOT / "build/flexvolume-stub/instorage-flexvolume"
SITE = "lib/python3.11/site-packages"
# The version's own path, not the link's: a program that runs goes on with its modules when the link changes.
SCRIPT = f"""#!/{LIBRARY}/{VERSION}/bin/python3 -I
import sys
from {{module}} import main

sys.exit(main())
"""
# The same from whatever directory it lies in: a shell reads the first lines, Python takes them for a text.
MOVABLE_SCRIPT = """#!/bin/sh
'''exec' "$(readlink -f "$(dirname "$(readlink -f "$0")")/python")/bin/python3" -I "$0" "$@"
' '''
import sys
from {module} import main

sys.exit(main())
"""


@dataclass(frozen=True)
class Part:
    """What is installed by itself: `prefix` is this version's directory, `programs` maps paths to modules.

    `links` maps paths to their targets, in the order in which they are put, when everything else is there;
    `texts` maps paths to files of the checkout.
    """

    prefix: str
    directories: tuple[str, ...]
    programs: Mapping[str, str]
    packages: tuple[str, ...]
    links: Mapping[str, str]
    script: str = SCRIPT
    stub: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)

    def owns(self, unit: Path) -> bool:
        """Say whether a file of systemd/ belongs to this part: all are the node's but the provisioner's."""
        return (unit.stem == "instorage-provisioner") is (self is THE_PROVISIONER)


_PROGRAMS = {
    "instorage-nodeagent": "nodeagent.__main__",
    "instorage-helper": "helper.__main__",
    "instorage-helper-thaw": "helper.thaw",
    "instorage-helper-shutdown": "helper.shutdown",
    "instorage-helper-defaults": "nodeagent.administration.helper_start",
    "instorage-report": "nodeagent.administration.report",
    "instorage-ext": "nodeagent.administration.ext",
}
_CTL = "instoragectl"
NODE = Part(
    prefix=f"{LIBRARY}/{VERSION}",
    directories=(PLUGIN, f"{PLUGIN}/config", f"{PLUGIN}/log", "etc/instorage", LIBEXEC),
    programs={
        f"{LIBRARY}/{VERSION}/libexec/{name}": module
        for name, module in {**_PROGRAMS, _CTL: "nodeagent.administration.ctl"}.items()
    },
    packages=("instorage", "helper", "nodeagent"),
    links={
        f"{LIBRARY}/current": VERSION,
        **{f"{LIBEXEC}/{name}": f"../../lib/instorage/current/libexec/{name}" for name in _PROGRAMS},
        f"usr/sbin/{_CTL}": f"../lib/instorage/current/libexec/{_CTL}",
    },
    stub=True,
    texts={f"{LIBRARY}/{VERSION}/RECORDS": "packaging/RECORDS"},  # a later installer asks this version for it
)
THE_PROVISIONER = Part(
    prefix=f"{PROVISIONER}/python-{VERSION}",
    directories=(PROVISIONER, f"{PROVISIONER}/config", f"{PROVISIONER}/log"),
    programs={
        f"{PROVISIONER}/instorage-provisioner": "provisioner.__main__",
        f"{PROVISIONER}/{_CTL}": "provisioner.ctl",
    },
    packages=("instorage", "provisioner"),
    links={f"{PROVISIONER}/python": f"python-{VERSION}"},
    script=MOVABLE_SCRIPT,
)
PARTS = {"node": NODE, "provisioner": THE_PROVISIONER}


@dataclass(frozen=True)
class Item:
    """A file, a link when `link` is its target, or else a directory; `path` without a leading slash."""

    path: str
    mode: int
    content: bytes | None = None
    link: str = ""


def items(replaced: Mapping[str, bytes] | None = None, part: Part = NODE) -> Iterator[Item]:
    """Everything of a part, parents first, links last; `replaced` are sources of a tests' build."""
    for item in files(part, replaced or {}):
        yield item
        if item.content is not None and item.path.endswith(".py"):
            compiled = importlib.util.cache_from_source(item.path)
            yield Item(compiled, 0o644, _compiled(item.content, f"/{item.path}"))
    for path, target in part.links.items():
        yield Item(path, 0o777, link=target)


def files(part: Part, replaced: Mapping[str, bytes], stub: Path | None = None) -> Iterator[Item]:
    """Directories and files of a part, nothing compiled; `stub` is another processor's."""
    for directory in part.directories:
        yield Item(directory, 0o755)
    if part.stub:
        yield Item(f"{PLUGIN}/instorage-flexvolume", 0o755, (stub or STUB).read_bytes())
    for unit in sorted((ROOT / "systemd").rglob("*.*")):
        if unit.is_file() and part.owns(unit) and OLDER not in unit.parents:
            yield Item(_unit_path(unit), 0o644, unit.read_bytes())
    for package in part.packages:
        yield from _sources(package, f"{part.prefix}/{SITE}", replaced)
    yield Item(f"{part.prefix}/{SITE}/{catalogue.PLACE}", 0o644, catalogue.compiled())
    for path, module in part.programs.items():
        yield Item(path, 0o755, part.script.format(module=module).encode())
    for path, source in part.texts.items():
        yield Item(path, 0o644, (ROOT / source).read_bytes())


def _sources(package: str, site: str, replaced: Mapping[str, bytes]) -> Iterator[Item]:
    for source in sorted((ROOT / package).rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            name = str(source.relative_to(ROOT))
            yield Item(f"{site}/{name}", 0o644, replaced[name] if name in replaced else source.read_bytes())


def _unit_path(unit: Path) -> str:
    """Units go to system/, what is in sysusers.d, tmpfiles.d, catalog to directories of those names."""
    relative = unit.relative_to(ROOT / "systemd")
    if relative.parts[0] == "catalog":
        return f"usr/lib/systemd/{relative}"
    directory = relative.parts[0] if len(relative.parts) > 1 else "systemd/system"
    return f"usr/lib/{directory}/{relative.name}"


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
                entry.type, entry.linkname = tarfile.SYMTYPE if item.link else tarfile.DIRTYPE, item.link
                tar.addfile(entry)
            else:
                entry.size = len(item.content)
                tar.addfile(entry, io.BytesIO(item.content))
    return buffer.getvalue()


def put(root: Path, tree: Iterable[Item]) -> None:
    """Put a tree below `root`, each file and link in the place of the one that is there, running or not.

    A directory that is there keeps its owner and mode: `log/` may be the agent's. A file is never written in
    place: kubelet may be executing the stub (ETXTBSY), and half a program must not be executed.
    """
    for item in tree:
        path = root / item.path
        if item.content is None and not item.link:
            if not path.is_dir():
                path.mkdir(parents=True)
                path.chmod(item.mode)
            continue
        if path.is_dir() and not path.is_symlink():
            raise SystemExit(f"{path} is a directory of an earlier installation: remove it, and try again.")
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")  # kubelet does not look at names with a dot
        _write(beside, item)
        beside.replace(path)


def _write(path: Path, item: Item) -> None:
    if item.content is None:
        path.unlink(missing_ok=True)
        path.symlink_to(item.link)
        return
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), item.mode)
        file.write(item.content)
        file.flush()
        os.fsync(file.fileno())


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
