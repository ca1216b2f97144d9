"""A release's node with SELinux: its own reference policy, our module loaded, everything labelled.

Layers of its own, beside those of the node without: `TRIXIE-selinux-packages`, `-image`, `-snapshots`.
"""

import shutil
from pathlib import Path
from typing import Final

from tools.lab import cache
from tools.lab.image import ENVIRONMENT, FILES, GUEST, _Build
from tools.lab.policy import SOURCES
from tools.lab.progress import Programs, Report, step
from tools.lab.releases import image as unconfined
from tools.lab.releases import kernel, packages
from tools.lab.releases.image import HOME, _ReleaseBuild
from tools.lab.releases.release import Release

# Without headers: what users get is compiled (tools/dist), and load.sh prefers it.
PACKAGES: Final = ("selinux-policy-default", "policycoreutils", "selinux-utils", "auditd")
CONFIG: Final = "etc/selinux/config"
# As `semodule -DB` leaves it: what is linked has every denial audited, and linked is it once.
NOTHING_SILENT: Final = "var/lib/selinux/default/active/disable_dontaudit"
# Of the lab's Python, which a user's node has not: a program's label, for it is below /usr/lib.
PYTHON_CONTEXT: Final = f"{HOME}/bin(/.*)? -- system_u:object_r:bin_t:s0\n"
INSTALL: Final = 'apt-get -q update && apt-get -q -y --no-install-recommends install "$@" && apt-get clean'


def image(release: Release, report: Report) -> Path:
    """Return a folder with `disk.ext4`, `vmlinux` and `initrd.gz`."""
    archive = root_archive(release, report)
    lab = GUEST.parent
    own = (Path(__file__), Path(unconfined.__file__), Path(kernel.__file__))
    sources = (*own, *(lab / name for name in ("image.py", "initrd.py", "kernel.py")), GUEST)
    hashed = cache.key(archive.name, ENVIRONMENT, release.iscsid, *sources, SOURCES, SOURCES / "compat")

    def make(folder: Path) -> None:
        _ConfinedBuild(folder, report, release).make(archive, archive)

    return cache.layer(f"{release.name}-selinux-image", hashed, make, report)


def root_archive(release: Release, report: Report) -> Path:
    """Return a folder with `root.tar`, the packages of the node without SELinux and those with it."""
    base = packages.root_archive(release, report)
    hashed = cache.key(base.name, INSTALL, *PACKAGES)

    def make(folder: Path) -> None:
        with step(report, f"SELinux of Debian {release.number}"):
            _install(base, folder)

    return cache.layer(f"{release.name}-selinux-packages", hashed, make, report)


def _install(base: Path, folder: Path) -> None:
    """Install the packages into the root of the node without SELinux, whose apt knows its mirrors."""
    programs, root = Programs(folder / "log"), folder / "root"
    root.mkdir()
    tar = ("tar", "-C", root, "--xattrs", "--numeric-owner")
    programs.run(*tar, "-xpf", base / "root.tar")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    # The mounts end with the mount namespace.
    mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
    path = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive")
    programs.run(*path, "unshare", "--mount", "sh", "-c", mounts, root, "sh", "-ec", INSTALL, "-", *PACKAGES)
    (root / "etc/resolv.conf").unlink()
    programs.run(*tar, "-cpf", folder / "root.tar", ".")
    shutil.rmtree(root)
    shutil.copy(base / "kernel.deb", folder)


class _ConfinedBuild(_ReleaseBuild):
    """The release's image with SELinux, permissive until a test says otherwise, and no denial silent."""

    def _configure(self) -> None:
        super()._configure()
        self._write(CONFIG, FILES[CONFIG])

    def _add_policy(self) -> None:
        self._write(NOTHING_SILENT, "")
        _Build._add_policy(self)

    def _label(self) -> None:
        local = self._root / "etc/selinux/default/contexts/files/file_contexts.local"
        with local.open("a") as contexts:
            contexts.write(PYTHON_CONTEXT)
        _Build._label(self)
