"""The oldest kernel, systemd and tools that this works with, and what of this host is older or missing.

`ext-check-cfg` warns of it. The installer refuses by the same versions, in a table of its own, since it runs
before anything of ours is there (`installer/requirements.py`). For people the table is in docs/hosts.md.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_SECONDS = 10.0


@dataclass(frozen=True)
class Wanted:
    """One thing of a host: the oldest version that is served, and how it says its own.

    `said` is a pattern for the output of `argv`, whose first group is the version. `packages` are Debian's
    and Red Hat's. `needed`: what there is not without it. `better`: from which version on there is no `but`.
    """

    name: str
    oldest: str
    argv: tuple[str, ...]
    said: str
    packages: tuple[str, str] = ("", "")
    needed: str = ""
    better: str = ""
    but: str = ""

    @property
    def mend(self) -> str:
        """What to install."""
        debian, redhat = self.packages
        if not debian:
            return f"use a distribution that has {self.oldest} or later"
        return f"install {debian} (Debian, Ubuntu) or {redhat} (RHEL)"


TABLE = (
    Wanted("Linux", "4.4", ("uname", "-r"), r"(\S+)"),
    Wanted("systemd", "237", ("systemctl", "--version"), r"systemd (\S+)"),
    Wanted(
        "open-iscsi", "2.0.873", ("iscsiadm", "--version"), r"version (?:6\.)?(\S+)",  # RHEL's 6.2.1 is 2.1
        ("open-iscsi", "iscsi-initiator-utils"), "volume is attached over iSCSI",
        better="2.0.875", but="its logins bring every LUN, so log in to the arrays yourself, with "
        "node.startup = automatic",
    ),
    Wanted(
        "multipath-tools", "0.6", ("multipath", "-h"), r"multipath-tools v(\S+)",
        ("multipath-tools", "device-mapper-multipath"), "volume has more than one path",
    ),
    Wanted(
        "e2fsprogs", "1.42", ("mke2fs", "-V"), r"mke2fs (\S+)",
        ("e2fsprogs", "e2fsprogs"), "volume gets an ext3 or ext4",
    ),
    Wanted(
        "xfsprogs", "4.3", ("mkfs.xfs", "-V"), r"version (\S+)",
        ("xfsprogs", "xfsprogs"), "volume gets an xfs",
    ),
)  # fmt: skip


def older(found: str, wanted: str) -> bool:
    """Compare the numbers of two versions («2.0-874» and «2.0.875», «4.18.0-553.el8» and «4.4»)."""
    mine, other = ([int(number) for number in re.findall(r"\d+", text)] for text in (found, wanted))
    return mine < other


def judged(table: Iterable[Wanted] = TABLE) -> Iterator[tuple[bool, str]]:
    """Yield a sentence for each thing that is too old, which is refused (True), missing, or works in part."""
    for one in table:
        found = version(one)
        if found is None:
            yield False, f"{one.name} is not installed, and without it no {one.needed}: {one.mend}."
        elif not found and os.geteuid() == 0:  # others are not told by every tool
            yield False, f"{one.argv[0]} does not say which {one.name} this is; {one.oldest} is wanted."
        elif found and older(found, one.oldest):
            yield True, f"{one.name} {found} is here, and {one.oldest} or later is wanted: {one.mend}."
        elif found and one.better and older(found, one.better):
            yield False, f"{one.name} {found} is here, and {one.better} is wanted: {one.but}, or {one.mend}."


def version(wanted: Wanted) -> str | None:
    """Return the version that is here, empty when that is not said, None when it is not installed."""
    program, *arguments = wanted.argv
    place = next((at for at in DIRECTORIES if os.access(f"{at}/{program}", os.X_OK)), None)
    if place is None:
        return None
    try:
        ran = subprocess.run(
            (f"{place}/{program}", *arguments), env={"LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    said = re.search(wanted.said, ran.stdout + ran.stderr)
    return said[1] if said and re.search(r"\d", said[1]) else ""
