"""What both parts have in common: the run that installs them, what they put, and their way back."""

from __future__ import annotations

import re
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer import places, units, users
from installer.files import Files, holds, remove, remove_empty
from installer.host import Host, find, run, there
from installer.journal import Journal
from installer.owed import Owed
from installer.saying import Ending, say

if TYPE_CHECKING:
    from installer.places import Places

SAMPLE: Final = "config/instorage.yaml"
BESIDE: Final = ("install.sh", "installer", "VERSION", "selinux")  # to remove a version without the archive


@dataclass
class Run:
    """One run: the host, the unpacked archive, where things go, what is left to say at its end."""

    host: Host
    archive: Path
    version: str
    places: Places
    next: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def beside(self) -> tuple[Path, ...]:
        """What lies beside the programs of an installed version."""
        found = (self.archive / name for name in BESIDE)
        return tuple(path for path in found if path.exists())  # a package brings no policy

    def whole(self, *names: str) -> None:
        """Want these files in the archive; Ending(1)."""
        for name in ("VERSION", *names):
            if not (self.archive / name).exists():
                raise Ending(
                    1,
                    f"{self.archive}/{name} is missing: unpack the whole archive, and run install.sh in it.",
                )
        if not re.fullmatch(r"[A-Za-z0-9.+~_-]+", self.version):
            raise Ending(1, f"{self.archive}/VERSION has no version in it: unpack the archive again.")


class Part(ABC):
    """One of the two parts: «node» or «provisioner»."""

    name: str
    user: str
    home: str  # where its versions lie, and .before
    vendors = False  # whether the vendor's is what is in force before this run
    served = False  # whether a run that was killed has had volumes served, so that the vendor's must not be

    def __init__(self, run_: Run, home: str, place: str, old: str) -> None:
        self.run = run_
        self.host = run_.host
        self.home = home
        self.place, self.old = place, old  # where kubelet or an administrator finds it, and did before
        self.journal = Journal(run_.host, home)
        self.owed = self.owed_before = Owed(run_.host, home)
        self.files = Files(run_.host, self.journal)
        self.tree = ""  # where this version was put

    @abstractmethod
    def first(self) -> bool:
        """Whether no version of ours was here before."""

    @abstractmethod
    def put(self) -> None:
        """Put every file."""

    @abstractmethod
    def start(self) -> None:
        """Have the new version work; Ending(4) when it does not."""

    @abstractmethod
    def revive(self) -> str:
        """Have the version of before work; return why it does not, nothing when it does."""

    @abstractmethod
    def put_back(self) -> None:
        """Put back what was there before."""

    @abstractmethod
    def owes(self) -> list[str]:
        """Return what is to be taken away when the new version works."""

    @abstractmethod
    def leave(self, what: str, place: str) -> None:
        """Take that away (a former place, or what a part calls so), with the part in `place`."""

    @abstractmethod
    def sweep(self) -> None:
        """Take away what nobody runs from any more."""

    @abstractmethod
    def tell(self) -> None:
        """Say what was installed."""

    @property
    @abstractmethod
    def current(self) -> str:
        """The place of the link that says which version is in force."""

    def put_user(self) -> None:
        """Make the part's user."""
        described = f"instorage-{self.name}.conf"
        source = self.run.archive / "systemd/sysusers.d" / described
        self.files.write(f"{units.base(self.host)}/sysusers.d/{described}", 0o644, source)
        users.create(self.host, self.user, described)

    def put_units(self) -> None:
        """Put the part's units where units of ours lie."""
        units.put(self.files, self.run.archive / "systemd", units.directory(self.host), self.name)

    def put_configuration(self, place: str, old: str) -> None:
        """Put the template: an administrator's is never touched, or comes from the `old` place."""
        template = self.run.archive / Path(place).name / SAMPLE
        owner = f"root:{self.user}"
        self.files.make_directory(f"{place}/config", 0o755)
        if place != old and self.host.path(f"{old}/config").is_dir():
            for file in (*self.host.path(f"{old}/config").glob("[!.]*"), self.host.path(f"{old}/.attach")):
                self.files.carry(file, f"{place}/{file.relative_to(self.host.path(old))}")
        there_now = self.host.path(f"{place}/{SAMPLE}")
        if not there(there_now):
            self.files.write(f"{place}/{SAMPLE}", 0o640, template, owner)
            self.run.next.append(f"Write your arrays into {place}/{SAMPLE}.")
        elif not there_now.exists() or not holds(there_now, template.read_bytes()):
            self.files.write(f"{place}/{SAMPLE}.sample", 0o640, template, owner)

    def leave_configuration(self, place: str, old: str, *, theirs: bool) -> None:
        """Take what was copied from the `old` place out of it; what is there besides stays, and is said.

        All of it where the vendor's program is kept there (`theirs`), and where a file names that place: a
        key or a log may lie there.
        """
        top = self.host.path(old)
        remove(top / f"{SAMPLE}.sample")
        found = [file for file in (*top.glob("config/[!.]*"), top / ".attach") if file.is_file()]
        contents = {file: file.read_bytes() for file in found}
        needed = theirs or any(old.encode() in content for content in contents.values())
        for file, content in () if needed else contents.items():
            copied = self.host.path(f"{place}/{file.relative_to(top)}")
            if not file.is_symlink() and copied.is_file() and holds(copied, content):
                remove(file)
        left = [name for name in ("log", "config") if not remove_empty(top / name) and (top / name).is_dir()]
        if not remove_empty(top):
            say(f"{old} is used no more. Yours to take away is {', '.join(left) or 'what is in it'} there.")

    def label(self, *names: str) -> None:
        """Where SELinux is, files get the labels of their places."""
        if self.host.live and find("restorecon"):
            run("restorecon", "-R", *names)

    def forget(self) -> None:
        """Take away the version that did not work."""
        current = self.host.path(self.current)
        named = str(current.readlink()) if current.is_symlink() else ""
        if self.tree and Path(self.tree).name != named and not self.host.in_use(self.tree):
            shutil.rmtree(self.host.path(self.tree), ignore_errors=True)

    def moved(self, place: str, old: str) -> bool:
        """Whether the part lay elsewhere before."""
        return place != old and not places.same(self.host.path(place), self.host.path(old))
