"""The archive that users get: the manual's two folders, the node's version, units, installer."""

import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from instorage.configuration.sample import SAMPLE_18000
from instorage.version import VERSION
from tools import site
from tools.dist import interpreter, plugin, toolchain, tree
from tools.install import NODE, PARTS, PLUGIN, PROVISIONER, ROOT, SITE, Part, files
from tools.lab.fault import LabFault
from tools.lab.policy import built
from tools.lab.progress import Report, step

# Where things of a host lie in the archive; what is nowhere here (links, /etc) is the installer's to make.
PLACES: Final = {
    f"{NODE.prefix}/": "node/",
    f"{PLUGIN}/": "inspur~instorage-flexvolume/",
    f"{PROVISIONER}/": "inspur-instorage-provisioner/",
    "usr/lib/systemd/system/": "systemd/",
    "usr/lib/systemd/catalog/": "systemd/catalog/",
    "usr/lib/sysusers.d/": "systemd/sysusers.d/",
    "usr/lib/tmpfiles.d/": "systemd/tmpfiles.d/",
}
# What an administrator reads, in both languages; what else is in docs/ is for who works on this.
_ENGLISH: Final = (
    "README", "install", "take-over", "configuration", "defaults", "class-parameters", "hosts", "manual",
    "security", "doctor", "why", "fibre-channel", "attach", "fencing", "selinux", "first-volume", "growth",
    "active-active", "several-arrays", "tenancy", "read-only", "multipath", "operating", "troubleshooting",
    "codes", "limits", "performance", "comparison", "safety",
)  # fmt: skip
PAGES: Final = (*_ENGLISH, *(f"{page}.zh" for page in _ENGLISH), "soak")  # performance points to the last
# Of the checkout, beside them.
BESIDE: Final = {
    "packaging/install.sh": "install.sh",
    "installer": "installer",
    "selinux": "selinux",
    "man": "man",
    "systemd/older": "systemd/older",  # of which install.sh puts what a host needs
    "packaging/README.md": "README.md",
    "LICENSE": "LICENSE",
    "deploy": "deploy",
    "docs/pictures": "docs/pictures",
    **{f"docs/{page}.md": f"docs/{page}.md" for page in PAGES},
}
SITE_FOLDER: Final = "share/doc/instorage"  # those pages for a browser, made of what lies in the archive
CONTENTS: Final = "CONTENTS"  # install.sh compares it with what was unpacked (installer/contents.py)
_FREE: Final = frozenset({"deploy", "docs", "README.md", "VERSION", CONTENTS})
PACKED: Final = 6  # of gzip's levels: 9 takes three times as long for a hundredth


def name(arch: str) -> str:
    """Return the name of the archive's one folder."""
    return f"instorage-k8s_{VERSION}_{arch}"


def stage(arch: str, folder: Path, report: Report) -> Path:
    """Lay out the archive's folder below `folder`, and return it."""
    top = folder / name(arch)
    with step(report, f"files for {arch}"):
        for part in PARTS:
            _put_part(part, arch, top, report)
        for source, target in BESIDE.items():
            put_beside(ROOT / source, top / target)
        _put_policy(top)
        (top / "VERSION").write_text(f"{VERSION}\n")
        plugin.write(top / plugin.NAME)
        for config in ("inspur~instorage-flexvolume/config", "inspur-instorage-provisioner/config"):
            (top / config / "instorage.yaml").write_text(SAMPLE_18000)
        site.build(top, top / SITE_FOLDER)
        (top / CONTENTS).write_text(contents(top))
    return top


def _put_policy(top: Path) -> None:
    """Put the module for Debian's policy, whose headers are here, beside the sources."""
    with tempfile.TemporaryDirectory() as scratch:
        module = built(Path(scratch))
        put_beside(module, top / "selinux/refpolicy" / module.name)


def contents(top: Path) -> str:
    """Return the digest of each file of the archive that nobody is to change, as sha256sum writes them."""
    names = ((path, path.relative_to(top)) for path in _sorted(top) if path.is_file())
    kept = [(path, name) for path, name in names if not path.is_symlink() and not _is_free(name.parts)]
    return "".join(f"{digest(path)}  {name}\n" for path, name in kept)


def _is_free(parts: tuple[str, ...]) -> bool:
    """Whether a file is an administrator's to change; libraries have directories of such names, too."""
    return parts[0] in _FREE or parts[1:2] == ("config",)


def put_beside(source: Path, target: Path) -> None:
    """Copy a file or folder of the checkout into the archive's folder."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)


def _put_part(part: str, arch: str, top: Path, report: Report) -> None:
    described = PARTS[part]
    home = top / str(place(described.prefix))
    shutil.copytree(tree.runtime(part, arch, report), home, symlinks=True)
    stub = ROOT / f"build/flexvolume-stub/{arch}/instorage-flexvolume"
    for item in files(described, {}, stub):
        lies = place(item.path)
        if lies is None:
            continue
        path = top / lies
        if item.content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.content)
            path.chmod(item.mode)
    own = interpreter.interpreter(toolchain.native(), report)
    tree.compile_all(
        home, own, f"/{described.prefix}", *(f"{SITE}/{package}" for package in described.packages)
    )
    if described is not NODE:
        _link(described, top)


def place(path: str) -> str | None:
    """Return where a host's path lies in the archive, None when it is not in it."""
    for on_host, here in PLACES.items():
        if f"{path}/".startswith(on_host):
            return here + f"{path}/"[len(on_host) :].rstrip("/")
    return None


def _link(part: Part, top: Path) -> None:
    """Make the provisioner's links: its folder may be copied as it is, as the manual has it."""
    for path, target in part.links.items():
        (top / str(place(path))).symlink_to(target)


def epoch() -> int:
    """Return the time that everything made here bears, s: SOURCE_DATE_EPOCH, else the commit's."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        return int(given)
    argv = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise LabFault(
            "dist-no-time", "Not a git checkout: set SOURCE_DATE_EPOCH to the time of the sources."
        )
    return int(done.stdout)


def changed(checkout: Path = ROOT) -> str:
    """Return what a checkout has that its commit has not, a line each: of one commit there is one build."""
    argv = ["git", "-C", str(checkout), "status", "--porcelain"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.rstrip("\n")


def pack(top: Path, target: Path, when: int) -> None:
    """Write the folder `top` as tar.gz: sorted, root's, all of the time `when`, s since 1970: one digest."""
    beside = target.with_name(f".{target.name}.new")
    with (
        beside.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=PACKED, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in (top, *_sorted(top)):
            entry = tar.gettarinfo(path, str(path.relative_to(top.parent)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            entry.mtime = when
            if entry.isreg():
                with path.open("rb") as content:
                    tar.addfile(entry, content)
            else:
                tar.addfile(entry)
    beside.replace(target)


def _sorted(top: Path) -> Iterator[Path]:
    return iter(sorted(top.rglob("*"), key=lambda path: str(path.relative_to(top)).encode()))


def digest(file: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
