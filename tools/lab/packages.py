"""The layers that need the network: Debian's packages and kernel, the product's Python wheels."""

import platform
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.progress import Programs, Report, step

RELEASE: Final = "bookworm"
PACKAGES: Final = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "util-linux", "fdisk", "procps", "psmisc"),
    *("open-iscsi", "multipath-tools", "sg3-utils", "lsscsi", "sdparm", "e2fsprogs", "xfsprogs"),
    *("python3", "python3-venv", "iproute2", "nftables", "iputils-ping", "openssh-client"),
    *("selinux-policy-default", "selinux-policy-dev", "policycoreutils", "policycoreutils-python-utils"),
    *("checkpolicy", "setools", "selinux-utils", "auditd", "make", "m4", "strace", "less"),
)
LOCK: Final = Path(__file__).parents[2] / "requirements-node.lock"
PYTHON: Final = "3.11"  # the release's, for which the wheels are built
# Settings of the machine's apt that its mirrors may need; they apply inside the new system's root too.
APT_SETTINGS: Final = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries")


def root_archive(report: Report) -> Path:
    """Return a folder with `root.tar`, the installed packages, and `kernel.deb`."""
    hashed = cache.key(Path(__file__), RELEASE, *PACKAGES)
    return cache.layer("packages", hashed, lambda folder: _bootstrap(folder, report), report)


def wheels(report: Report) -> Path:
    """Return a folder with the wheels of everything in `requirements-node.lock`."""
    hashed = cache.key(Path(__file__), PYTHON, LOCK)
    return cache.layer("wheels", hashed, lambda folder: _build_wheels(folder, report), report)


def _bootstrap(folder: Path, report: Report) -> None:
    programs = Programs(folder / "log")
    settings = list(_apt_settings(programs))
    apt = 'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"'
    # Debian's own kernel, of whatever version its metapackage names today; not installed but unpacked
    # later: its installation would make an initial RAM disk that the lab does not use.
    fetch_kernel = (
        f"cd {shlex.quote(str(folder))} && {apt} apt-get -q -o APT::Sandbox::User=root download "
        f"$({apt} apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: //p' | head -n 1) "
        "&& mv linux-image-*.deb kernel.deb"
    )
    with step(report, "Debian packages"):
        programs.run(
            *("mmdebstrap", "--variant=minbase", "--mode=root", f"--include={','.join(PACKAGES)}"),
            *('--aptopt=APT::Install-Recommends "false"', *settings),
            *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
            *("--dpkgopt=force-unsafe-io", f"--customize-hook={fetch_kernel}"),
            RELEASE,
            folder / "root.tar",
            *_mirrors(programs),
        )


def _mirrors(programs: Programs) -> list[str]:
    """Return the machine's own mirrors of the release, as lines of a sources.list."""
    wanted = "$(ARCHITECTURE) deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    known = programs.output(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"])
    lines = [line.split(" ", 1)[1] for line in known.splitlines() if line.startswith("amd64 ")]
    mirrors = sorted({line for line in lines if line.split()[2].startswith(RELEASE)})
    if not mirrors:
        raise LabFault("lab-no-mirror", f"apt on this machine knows no mirror of Debian {RELEASE}.")
    return mirrors


def _apt_settings(programs: Programs) -> Iterator[str]:
    for line in programs.output(["apt-config", "dump"]).splitlines():
        if line.startswith(APT_SETTINGS) and not line.endswith('"";'):
            yield f"--aptopt={line.removesuffix(';')}"


def _build_wheels(folder: Path, report: Report) -> None:
    if not platform.python_version().startswith(f"{PYTHON}."):
        raise LabFault("lab-python-version", f"the wheels need Python {PYTHON}; use .venv/bin/python.")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel")
    with step(report, "Python wheels"):
        Programs(folder / "log").run(*pip, "--require-hashes", "-w", folder, "-r", LOCK)
