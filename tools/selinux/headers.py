"""Headers of the policies of other releases of Debian, to compile modules with: unpacked, not installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.lab import cache
from tools.lab.progress import Programs, step

# not renamed: its file is an input of a key
from tools.lab.releases.packages import _mirrors_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.lab.progress import Report
    from tools.lab.releases import Release

PACKAGE: Final = "selinux-policy-dev"


def headers(release: Release, report: Report) -> Path:
    """Return the folder that `DEVEL=` of selinux/Makefile wants; needs the network, once."""

    def make(folder: Path) -> None:
        with step(report, f"the policy's headers of Debian {release.number}"):
            _fetch(release, folder)

    hashed = cache.key(Path(__file__), release.name)
    return cache.layer(f"{release.name}-policy", hashed, make, report) / "usr/share/selinux/devel"


def _fetch(release: Release, folder: Path) -> None:
    programs = Programs(folder / "log")
    apt = folder / "apt"
    (apt / "lists/partial").mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text("".join(f"{line}\n" for line in _mirrors_of(release, programs)))
    for command in (("update",), ("download", PACKAGE)):
        programs.run("apt-get", "-q", *_settings(apt), *command, cwd=apt)
    (package,) = apt.glob(f"{PACKAGE}_*.deb")
    programs.run("dpkg-deb", "-x", package, folder)


def _settings(apt: Path) -> Iterator[str]:
    """Keep this machine's own lists out of it."""
    own = {
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "root",
    }
    for name, value in own.items():
        yield from ("-o", f"{name}={value}")
