"""deb and rpm, by nfpm from one description: the archive's files, and scripts that call its installer.

A package owns a copy of the archive's folders in a place of its own, /usr/lib/instorage-PART, and installs
from there as an administrator does from the archive. dpkg and rpm take an old version's files away before, or
while, what runs of it is restarted, and know one place for the plugin directory; the installer keeps the old
version until the new one answers, and knows the host's places.
"""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

from instorage.version import VERSION
from tools.dist import plugin, toolchain
from tools.dist.archive import SITE_FOLDER
from tools.install import PARTS, ROOT
from tools.lab.fault import LabFault

PACKAGING: Final = ROOT / "packaging"
ARCHES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
FORMATS: Final = ("deb", "rpm")
MAINTAINER: Final = "InStorage for Kubernetes <instorage@example.invalid>"
LIMIT: Final = 300  # seconds for one package


@dataclass(frozen=True)
class Package:
    """What is packaged of a part: `folders` of the archive, what a distribution has to bring."""

    part: str
    summary: str
    folders: tuple[str, ...]
    depends: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the package is called."""
        return f"instorage-{self.part}"


SYSTEMD: Final = 237  # docs/hosts.md
OF_EACH: Final = (f"libc6 (>= {toolchain.GLIBC})", f"systemd (>= {SYSTEMD})")
# rpm's names differ from one distribution to the next, so there the installer alone looks what is missing.
PACKAGES: Final = (
    Package(
        "node",
        "InStorage SAN volumes for Kubernetes: node agent, root helper, FlexVolume stub",
        ("inspur~instorage-flexvolume", "node"),
        (
            *OF_EACH,
            "open-iscsi (>= 2.0.873)",
            "multipath-tools (>= 0.6)",
            "e2fsprogs (>= 1.42)",
        ),
    ),
    Package(
        "provisioner",
        "InStorage SAN volumes for Kubernetes: external provisioner",
        ("inspur-instorage-provisioner",),
        OF_EACH,
    ),
)


def make(package: Package, top: Path, arch: str, when: int, target: Path) -> list[Path]:
    """Make the package's deb and rpm from the archive's folder `top`; return the files, below `target`."""
    scratch = target / f".{package.name}-{arch}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    _write_texts(package, scratch, when)
    described = scratch / "nfpm.json"
    described.write_text(json.dumps(description(package, top, arch, when, scratch), indent=1))
    made = [packed(described, kind, target / _file_name(package, arch, kind), when) for kind in FORMATS]
    shutil.rmtree(scratch)
    return made


def description(package: Package, top: Path, arch: str, when: int, scratch: Path) -> dict[str, Any]:
    """Return nfpm's description of both formats (https://nfpm.goreleaser.com/configuration)."""
    release, _, stage = VERSION.partition(".dev")
    scripts = {"postinstall": str(scratch / "after-install"), "preremove": str(scratch / "before-remove")}
    return {
        "name": package.name,
        "arch": ARCHES[arch],
        "platform": "linux",
        "version": release,
        "version_schema": "none",
        "disable_globbing": True,
        "prerelease": f"dev{stage}" if stage else "",
        "section": "admin",
        "priority": "optional",
        "maintainer": MAINTAINER,
        "description": f"{package.summary}\nSucceeds the vendor's K8sPlugin; brings its own Python.",
        "license": "Apache-2.0",
        "umask": 0o022,
        "mtime": date(when),
        "contents": list(contents(package, top, when, scratch)),
        "scripts": scripts,
        "overrides": {
            "deb": {"depends": list(package.depends), "scripts": {"postremove": str(scratch / "purge")}},
            "rpm": {"depends": [f"systemd >= {SYSTEMD}"]},
        },
        "deb": {"compression": "gzip"},
        "rpm": {
            "compression": "gzip",
            "buildhost": "instorage",
            "summary": package.summary,
            "group": "System",
        },
    }


def contents(package: Package, top: Path, when: int, scratch: Path) -> Iterator[dict[str, Any]]:
    """Return nfpm's entry for each file, folder and link of the package."""
    home, documents = Path("/usr/lib", package.name), Path("/usr/share/doc", package.name)
    chosen = set(_of_the_archive(package, top))
    folders = {parent for path in chosen for parent in path.parents if parent.is_relative_to(top)}
    for path in sorted(chosen | folders):
        yield entry(path, home / path.relative_to(top), when)
    yield entry(scratch, documents, when)
    for path in _site(top):
        yield from _document(entry(path, documents / "html" / path.relative_to(top / SITE_FOLDER), when))
    yield from _document(entry(scratch / "copyright", documents / "copyright", when))
    overrides = Path("/usr/share/lintian/overrides", package.name)
    for path, target in {
        scratch / "changelog.gz": documents / "changelog.gz",
        PACKAGING / "lintian-overrides": overrides,
    }.items():
        yield entry(path, target, when) | {"packager": "deb"}


def _of_the_archive(package: Package, top: Path) -> Iterator[Path]:
    for folder in package.folders:
        yield from (top / folder).rglob("*")
    for unit in (top / "systemd").rglob("*.*"):
        if unit.is_file() and PARTS[package.part].owns(unit) and top / "systemd/older" not in unit.parents:
            yield unit
    yield from (top / "systemd/older").rglob("*")
    yield from (top / "installer").glob("*.py")
    for folder in ("deploy", "docs", "docs/pictures"):  # both parts' pages lead to each other
        yield from (top / folder).glob("*.*")
    yield from (top / name for name in ("install.sh", "README.md", "LICENSE", "VERSION", plugin.NAME))


def _document(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a file's entry as what rpm calls documentation, which nfpm leaves out of a deb."""
    if item.get("type") == "dir":
        yield item
    else:
        yield item | {"packager": "rpm", "type": "doc"}
        yield item | {"packager": "deb"}


def _site(top: Path) -> list[Path]:
    site = top / SITE_FOLDER
    found = set(site.rglob("*.*"))
    return sorted(
        found | {folder for path in found for folder in path.parents if folder.is_relative_to(site)}
    )


def entry(path: Path, place: Path, when: int) -> dict[str, Any]:
    """Return nfpm's entry for a file, folder or link that is to lie at `place`."""
    target = str(place)
    info: dict[str, Any] = {"owner": "root", "group": "root", "mtime": date(when)}
    if path.is_symlink():
        info |= {"mode": 0o777}
        return {"src": str(path.readlink()), "dst": target, "type": "symlink", "file_info": info}
    if path.is_dir():
        return {"dst": target, "type": "dir", "file_info": info | {"mode": 0o755}}
    mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    return {"src": str(path), "dst": target, "file_info": info | {"mode": mode}}


def _write_texts(package: Package, scratch: Path, when: int) -> None:
    for script in ("after-install", "before-remove", "purge"):
        text = (PACKAGING / script).read_text().replace("@PART@", package.part)
        (scratch / script).write_text(text)
    copyright_ = (PACKAGING / "copyright").read_text().replace("@PACKAGE@", package.name)
    (scratch / "copyright").write_text(copyright_)
    write_changelog(package.name, scratch, when)


def write_changelog(name: str, scratch: Path, when: int) -> None:
    """Write Debian's changelog of a package into `scratch`."""
    at = format_datetime(datetime.fromtimestamp(when, UTC))
    head = f"{name} ({debian_version()}) stable; urgency=medium"
    text = f"{head}\n\n  * See the documentation of this version.\n\n -- {MAINTAINER}  {at}\n"
    (scratch / "changelog.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def debian_version() -> str:
    """Return the version as dpkg compares it."""
    return VERSION.replace(".dev", "~dev")


def _file_name(package: Package, arch: str, kind: str) -> str:
    shown = ARCHES[arch] if kind == "deb" else arch
    return f"{package.name}_{debian_version()}_{shown}.{kind}"


def date(when: int) -> str:
    """Return a time, s since 1970, as nfpm wants it."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def packed(described: Path, kind: str, target: Path, when: int) -> Path:
    """Have nfpm make a package of one kind from its description; LabFault when it cannot."""
    program = Path(sys.executable).with_name("nfpm")
    if not program.exists():
        raise LabFault("dist-no-nfpm", "nfpm is not installed: run make .venv/.installed.")
    argv = [str(program), "package", "--config", str(described), "--packager", kind, "--target", str(target)]
    environment = {"SOURCE_DATE_EPOCH": str(when), "PATH": "/usr/bin:/bin", "HOME": str(described.parent)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise LabFault("dist-not-packaged", f"nfpm made no {kind} of {described.parent.name}: {said}")
    return target
