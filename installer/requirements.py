"""What each part needs of the host, looked at before anything is done."""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING, Final

from installer import services, units
from installer.host import find, is_root, run

if TYPE_CHECKING:
    from pathlib import Path

    from installer.host import Host
    from installer.saying import Refusals

# The same as in nodeagent/administration/versions.py, which cannot be imported before it is installed; a test
# compares them, with docs/hosts.md and what a deb depends on (tests/packaging/test_oldest_versions.py).
OLDEST: Final = {
    "Linux": "4.4", "systemd": "237", "open-iscsi": "2.0.873", "multipath-tools": "0.6", "e2fsprogs": "1.42",
    "xfsprogs": "4.3",
}  # fmt: skip
ASKED: Final = {
    "systemd": (("systemctl", "--version"), "systemd "),
    "Linux": (("uname", "-r"), ""),
    "open-iscsi": (("iscsiadm", "--version"), "iscsiadm version "),
    "multipath-tools": (("multipath", "-h"), "multipath-tools v"),
    "e2fsprogs": (("mkfs.ext4", "-V"), "mke2fs "),
    "xfsprogs": (("mkfs.xfs", "-V"), "mkfs.xfs version "),
}
GIVEN: Final = ("Linux", "systemd")  # a host has what its distribution has
RED_HAT: Final = {"open-iscsi": "iscsi-initiator-utils", "multipath-tools": "device-mapper-multipath"}
SERVICES: Final = {
    "open-iscsi": ("iscsid.socket", "iscsid.service"),
    "multipath-tools": ("multipathd.service", "multipathd.socket"),
}
PROGRAMS: Final = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/usr/bin/bash", "/bin/bash")
PROCESSORS: Final = {0x3E: "x86_64", 0xB7: "aarch64"}  # e_machine of <elf.h>
SPACE_UNIT: Final = 1 << 20  # bytes of a MiB


def version_of(package: str) -> str:
    """Return a package's version by its own word; nothing when it is not there."""
    argv, before = ASKED[package]
    said = run(*argv, errors=True).said
    if package == "open-iscsi":
        said = said.replace("-", ".")  # «2.0-873» is 2.0.873, and Red Hat's 6.2.0.873 too
    found = re.search(rf"^{re.escape(before)}([0-9][0-9.]*)", said, re.MULTILINE)
    version = found[1] if found else ""
    return re.sub(r"^6\.2\.", "2.", version) if package == "open-iscsi" else version


def at_least(found: str, wanted: str) -> bool:
    """Compare dotted numbers."""
    one, other = ([int(number) for number in text.split(".") if number] for text in (found, wanted))
    return one >= other


def mend(package: str) -> str:
    """Return the command that installs a package on this distribution."""
    if package in GIVEN:
        return "choose a host whose distribution has it"
    red_hat = RED_HAT.get(package, package)
    for manager, name in (("apt-get", package), ("zypper", package), ("dnf", red_hat), ("yum", red_hat)):
        if find(manager):
            return f"{manager} install {name}"
    return f"install the package {package} ({red_hat}) of this distribution"


def want(refusals: Refusals, package: str) -> None:
    """Want a version that will do."""
    found, oldest = version_of(package), OLDEST[package]
    if not found:
        refusals.add(f"{package} is not installed, version {oldest} or newer is wanted: {mend(package)}.")
    elif not at_least(found, oldest):
        too_old = "" if package in GIVEN else "; if that brings none, this distribution is too old"
        refusals.add(
            f"{package} {found} is installed, version {oldest} or newer is wanted: {mend(package)}{too_old}."
        )


def look_at_host(refusals: Refusals, host: Host, tree: Path) -> None:
    """Look at root, systemd, the kernel, and whether the interpreter of `tree` starts."""
    if not is_root():
        refusals.add("this must be run as root: sudo ./install.sh ...")
    if host.boots:
        want(refusals, "systemd")
        if not units.directory(host):
            usual = " ".join(units.DIRECTORIES)
            refusals.add(
                f"none of {usual} can be written: mount /usr or /etc read-write for the installation."
            )
    else:
        refusals.add(
            "systemd does not run here: the services of this program are started by it, choose a host that "
            "has it."
        )
    want(refusals, "Linux")
    done = run(str(tree / "bin/python3"), "-I", "-c", "", errors=True)
    if done.status:
        refusals.add(
            f"{tree}/bin/python3 does not start ({done.said or 'no word'}): take the archive for "
            f"{platform.machine()}, and unpack it where programs may be started (not mounted noexec)."
        )


def look_at_image(refusals: Refusals, host: Host, tree: Path) -> None:
    """Compare the processor of an image that lies in a directory with that of the interpreter of `tree`."""
    wanted = _processor(tree / "bin/python3")
    for place in PROGRAMS if host.root else ():
        inside = host.path(place).resolve().is_relative_to(host.root)  # a link may lead out of the image
        has = _processor(host.path(place)) if inside else ""
        if has and wanted and has != wanted:
            refusals.add(
                f"{host.path(place)} is for {has}, this archive for {wanted}: take the archive for {has}."
            )
            return


def _processor(program: Path) -> str:
    """Return for which processor a program is; nothing for what is none, or not to be read."""
    try:
        with program.open("rb") as file:
            head = file.read(20)
    except OSError:
        return ""
    number = int.from_bytes(head[18:20], "little")
    return PROCESSORS.get(number, f"processor {number}") if head.startswith(b"\x7fELF") else ""


def look_at_tools(refusals: Refusals) -> None:
    """Look at the tools of the SAN, and whether they run."""
    for package in ("open-iscsi", "multipath-tools", "e2fsprogs"):
        want(refusals, package)
    if version_of("xfsprogs"):  # only who wants xfs needs it
        want(refusals, "xfsprogs")
    for package, names in SERVICES.items():
        if version_of(package) and not services.is_active(*names):
            refusals.add(f"none of {' and '.join(names)} runs: systemctl enable --now {names[0]}.")


def look_at_space(refusals: Refusals, host: Host, tree: Path, place: str) -> None:
    """There must be room for one more version: that of before stays until the new one works."""
    while place and not host.path(place).is_dir():
        place = place.rpartition("/")[0]
    there, shown = host.path(place or "/"), place or "/"
    wanted = sum(_occupied(path) for path in tree.rglob("*"))
    facts = os.statvfs(there)
    free = facts.f_bavail * facts.f_frsize
    if free < wanted:
        needed = wanted // SPACE_UNIT + 1
        refusals.add(f"{shown} has {free // SPACE_UNIT} MiB free, {needed} are needed: free some.")
    if not os.access(there, os.W_OK):
        refusals.add(f"{shown} cannot be written: mount it read-write for the installation.")


def _occupied(path: Path) -> int:
    return path.stat().st_blocks * 512 if path.is_file() else 0
