"""The disk image of a node of a release, which has no Python but the lab's own, where nobody else looks."""

import shutil
from pathlib import Path
from typing import Final

from tools.lab import cache
from tools.lab.image import ENVIRONMENT, GUEST, _Build  # not renamed: an input of the ordinary image's key
from tools.lab.progress import Report
from tools.lab.releases import kernel
from tools.lab.releases.packages import root_archive
from tools.lab.releases.release import Release

HOME: Final = "/usr/lib/instorage-lab"
PYTHON: Final = f"{HOME}/bin/python3"
"""What runs the lab's own programs in such a node: the release's Python, moved."""
# Without their scripts, which want the Python that goes, in whatever order.
PURGE: Final = (
    "rm -f /var/lib/dpkg/info/*python3*.prerm /var/lib/dpkg/info/*python3*.postrm; "
    "dpkg --purge --force-depends $(dpkg-query -W -f '${Package} ' 'python3*' 'libpython3*')"
)
# The ordinary snapshots' warm-up starts the product's Python, and snapshots.py must stay as it is (its text
# is an input of its key): here the warm-up starts this, and nothing is left of it.
WARM_UP: Final = "#!/bin/sh\nexec rm -r /usr/lib/instorage\n"


def image(release: Release, report: Report) -> Path:
    """Return a folder with `disk.ext4`, `vmlinux` and `initrd.gz`."""
    archive = root_archive(release, report)
    lab = GUEST.parent
    own = (Path(__file__), Path(kernel.__file__))
    sources = (*own, *(lab / name for name in ("image.py", "initrd.py", "kernel.py")), GUEST)
    hashed = cache.key(archive.name, ENVIRONMENT, release.iscsid, *sources)

    def make(folder: Path) -> None:
        _ReleaseBuild(folder, report, release).make(archive, archive)

    return cache.layer(f"{release.name}-image", hashed, make, report)


class _ReleaseBuild(_Build):
    """The ordinary image's build without wheels, a Python environment and SELinux."""

    def __init__(self, folder: Path, report: Report, release: Release) -> None:
        super().__init__(folder, report)
        self._release = release

    def _add_kernel(self, package: Path) -> Path:
        modules = kernel.unpack(package, self._folder, self._root, self._programs)
        self._chroot("depmod", modules.name)
        return modules

    def _configure(self) -> None:
        super()._configure()
        (self._root / "etc/selinux/config").unlink()  # it names a policy that is not here

    def _add_environment(self, wheels: Path) -> None:
        """Move the Python to the lab's own place, and its packages away; `wheels` are not used."""
        home, system = self._root / HOME[1:], self._root / "usr"
        (program,) = system.glob("bin/python3.*")
        (home / "bin").mkdir(parents=True)
        shutil.copy(program, home / "bin/python3")
        shutil.copytree(system / "lib" / program.name, home / "lib" / program.name, symlinks=True)
        self._chroot("sh", "-ec", PURGE)
        for left in (*system.glob("lib/python3*"), *system.glob("local/lib/python3*")):
            shutil.rmtree(left)
        agent = self._root / "usr/local/sbin/labagent"
        agent.write_text(agent.read_text().replace("#!/usr/bin/python3", f"#!{PYTHON}", 1))
        self._write(f"{ENVIRONMENT[1:]}/bin/python3", WARM_UP)
        (self._root / ENVIRONMENT[1:] / "bin/python3").chmod(0o755)

    def _chroot(self, *argv: str) -> None:
        super()._chroot(*(self._release.iscsid if word == "iscsid.socket" else word for word in argv))

    def _add_policy(self) -> None:
        """There is no policy to add a module to."""

    def _label(self) -> None:
        """There is no policy to label for."""
