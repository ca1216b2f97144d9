"""The sources of what is built here, from Debian: upstream's releases with Debian's security patches.

The versions stand here, so that one commit is one build; Debian's next update is a change of this file.
"""

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tools import debian
from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.progress import Programs, Report, step

VERSIONS: Final = {
    "libffi": "3.4.4-1",
    "openssl": "3.0.20-1~deb12u2",
    "python3.11": "3.11.2-6+deb12u8",
    "sqlite3": "3.40.1-2+deb12u2",
    "zlib": "1:1.2.13.dfsg-1",
}
# Of Debian's patches for Python those that mend it; the others arrange it as Debian wants it to lie.
MENDING: Final = ("*CVE*", "0*gh*", "relfile*", "shutdown-deadlock*", "frame_dealloc*")


def root() -> Path:
    """Return the folder of what is built here, kept between builds."""
    return Path(os.environ.get("INSTORAGE_DIST_CACHE") or "/var/cache/instorage-dist")


def packages(report: Report) -> Path:
    """Return a folder with the source packages, not unpacked."""
    hashed = cache.key(debian.RELEASE, repr(sorted(VERSIONS.items())))
    return cache.layer("sources", hashed, lambda folder: _download(folder, report), report, below=root())


def _download(folder: Path, report: Report) -> None:
    wanted = [f"{name}={version}" for name, version in VERSIONS.items()]
    with step(report, "source packages"):
        try:
            debian.download(wanted, folder, Programs(folder / "log"))
        except LabFault as fault:
            raise LabFault(
                "dist-no-source",
                f"Debian's mirrors do not hand out all of {', '.join(wanted)}: put the versions that they "
                f"have (apt-cache showsrc NAME) into {Path(__file__).name}.\n{fault}",
            ) from fault


def unpack(name: str, folder: Path, programs: Programs, report: Report) -> None:
    """Unpack the source package `name` into `folder`, patched."""
    version = VERSIONS[name].rpartition(":")[2]
    description = packages(report) / f"{name}_{version}.dsc"
    if name != "python3.11":
        debian.unpack(description, folder, programs)
        return
    debian.unpack(description, folder, programs, "--skip-patches")
    for patch in mending((folder / "debian/patches/series").read_text()):
        programs.run("patch", "-p1", "--fuzz=0", "-i", folder / "debian/patches" / patch, cwd=folder)


def mending(series: str) -> list[str]:
    """Return which patches of a quilt series are wanted, in their order."""
    names = [line.split()[0] for line in series.splitlines() if line.strip() and not line.startswith("#")]
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in MENDING)]
