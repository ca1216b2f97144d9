"""The layer of a release that needs the network: its packages and its kernel."""

import shlex
from pathlib import Path
from typing import Final

from tools.lab import cache, packages

# not renamed, and not moved: their file is an input of the ordinary packages' key
from tools.lab.packages import _apt_settings, _mirrors
from tools.lab.progress import Programs, Report, step
from tools.lab.releases.release import Release

# As the ordinary lab's, without SELinux; python3, which xfsprogs brings with it, is moved away in the image.
PACKAGES: Final = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "util-linux", "fdisk", "procps", "psmisc"),
    *("open-iscsi", "multipath-tools", "sg3-utils", "lsscsi", "e2fsprogs", "xfsprogs", "python3"),
    *("iproute2", "nftables", "iputils-ping", "strace", "less", "usrmerge"),
)


def root_archive(release: Release, report: Report) -> Path:
    """Return a folder with `root.tar`, the installed packages, and `kernel.deb`."""
    hashed = cache.key(Path(__file__), release.name, *PACKAGES)
    kind = f"{release.name}-packages"
    return cache.layer(kind, hashed, lambda folder: _bootstrap(release, folder, report), report)


def _bootstrap(release: Release, folder: Path, report: Report) -> None:
    programs = Programs(folder / "log")
    apt = 'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"'
    newest = f"$({apt} apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)"
    fetch_kernel = (
        f"cd {shlex.quote(str(folder))} && {apt} apt-get -q -o APT::Sandbox::User=root download {newest} "
        "&& mv linux-image-*.deb kernel.deb"
    )
    with step(report, f"packages of Debian {release.number}"):
        programs.run(
            *("mmdebstrap", "--variant=minbase", "--mode=root", f"--include={','.join(PACKAGES)}"),
            *('--aptopt=APT::Install-Recommends "false"', *_apt_settings(programs)),
            *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
            *("--dpkgopt=force-unsafe-io", f"--customize-hook={fetch_kernel}"),
            *(release.name, str(folder / "root.tar"), *_mirrors_of(release, programs)),
        )


def _mirrors_of(release: Release, programs: Programs) -> list[str]:
    """Return the machine's own mirrors, as lines of a sources.list: who has one release has the others."""
    return [line.replace(packages.RELEASE, release.name) for line in _mirrors(programs)]
