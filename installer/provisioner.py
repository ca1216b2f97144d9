"""The provisioner's part: a folder anywhere, with its own Python."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

from installer import pages, places, selinux, services, units, users, vendor, vendor_unit
from installer.files import remove
from installer.host import executable, run
from installer.owed import Owed
from installer.part import Part
from installer.places import FOLDER
from installer.saying import Ending, complain, say
from installer.tree import put as put_tree

if TYPE_CHECKING:
    from pathlib import Path

    from installer.host import Host
    from installer.part import Run

SERVICE: Final = "instorage-provisioner.service"
PROGRAMS: Final = ("instorage-provisioner", "instoragectl")
ANSWER: Final = 150  # seconds, of which 90 for the one of before to end what it has begun
NEXT: Final = """\
Put the access to Kubernetes into {folder}/config/kubeconfig, readable for the group
instorage-provisioner.
Then: systemctl enable --now instorage-provisioner."""


class Provisioner(Part):
    """What makes volumes for a cluster."""

    name = "provisioner"
    user = users.PROVISIONER
    current = ""

    def __init__(self, run_: Run) -> None:
        super().__init__(run_, run_.places.folder, run_.places.folder, run_.places.old_folder)
        self.folder = self.place
        self.owed_before = Owed(self.host, self.old)
        self.current = f"{self.folder}/python"
        self._aside = self.host.path(f"{self.folder}/python.before")
        self.unit = vendor_unit.find(self.journal)
        self.vendors = self.unit is not None or vendor_unit.theirs(self._former())
        self._wanted = self.unit is not None and self.unit.wanted(self.host, self.journal)

    def _former(self) -> Path:
        return self.journal.former(f"{self.folder}/{vendor_unit.PROGRAM}")

    def first(self) -> bool:
        """Whether none of ours was here before, nor in another folder."""
        theirs = vendor_unit.theirs(self._former())
        if not theirs and not self.journal.had_none(f"{self.folder}/instorage-provisioner"):
            return False
        return self.old == self.folder or not self.host.path(f"{self.old}/instorage-provisioner").exists()

    def put(self) -> None:
        """Put every file."""
        self.put_user()
        self.files.make_directory("/etc/instorage", 0o755)
        self.files.make_directory(self.folder, 0o755)
        self.files.make_directory(f"{self.folder}/log", 0o755, f"{self.user}:{self.user}")
        self._keep_vendors()
        self.put_configuration(self.folder, self.old)
        places.put(self.files, {"INSTORAGE_PROVISIONER": self.folder})
        self._put_version()
        self.put_units()
        pages.put(self.files, self.run.archive / "man")
        if self.unit:
            vendor_unit.give_way(self.files, self.unit, self.folder)
        units.drop_in(self.files, SERVICE, self._settings())
        selinux.load(self.host, self.run.archive)
        self.label(self.folder, "/etc/instorage")

    def _keep_vendors(self) -> None:
        """Keep the vendor's program aside, and let our service read what that read as root."""
        program = f"{self.folder}/{vendor_unit.PROGRAM}"
        if vendor_unit.theirs(self.host.path(program)):
            vendor.put_aside(self.files, program)
        if self.unit:
            vendor_unit.carry(self.files, self.unit, self.folder)
        for place in vendor.configuration(self.host, self.folder) if self.vendors else ():
            vendor.let_read(self.files, place, self.user)

    def _put_version(self) -> None:
        source = self.run.archive / "inspur-instorage-provisioner"
        name = f"python-{self.run.version}"
        python = (source / "python").resolve()
        self.tree = put_tree(self.host, python, self.folder, name, self.run.beside)
        former = self.host.path(self.current)
        if former.is_dir() and not former.is_symlink():  # a checkout's environment
            shutil.rmtree(self._aside, ignore_errors=True)
            former.replace(self._aside)
        self.files.link(self.tree.rpartition("/")[2], self.current)
        for program in PROGRAMS:
            self.files.write(f"{self.folder}/{program}", 0o755, source / program)

    def _settings(self) -> str:
        """Return the unit's own command line, with the folder of this host in it."""
        if self.folder == FOLDER:
            return ""
        unit = (self.run.archive / "systemd" / SERVICE).read_text()
        found = re.search(r"^ExecStart=(?:.*\\\n)*.*", unit, re.MULTILINE)
        command = found[0].replace(FOLDER, self.folder) if found else ""
        return f"[Service]\nReadWritePaths=-{self.folder}/log\nExecStart=\n{command}"

    def start(self) -> None:
        """Restart; not before it has access to Kubernetes, which is the administrator's to make."""
        if not self.host.live or not self.journal.before.is_dir():
            return
        if self._wanted:
            services.systemctl("stop", vendor_unit.UNIT)  # by its own file, while systemd knows that
        services.systemctl("daemon-reload")
        run("systemd-tmpfiles", "--create", "instorage-provisioner.conf")
        if self._wanted:
            services.systemctl("--quiet", "enable", SERVICE)
            self._restart()
            return
        if self.first():
            self.run.next.append(NEXT.format(folder=self.folder))
            return
        if services.systemctl("is-active", SERVICE).said not in ("active", "activating", "reloading"):
            say(f"{SERVICE} is stopped, and stays so: systemctl start instorage-provisioner.")
            return
        self._restart()

    def _restart(self) -> None:
        services.systemctl("--no-block", "restart", SERVICE)
        trouble = _trouble(self.tree, patient=not self._wanted)
        if trouble:
            raise Ending(4, trouble)

    def put_back(self) -> None:
        """Put back what was there before, a checkout's environment too."""
        if self.first():
            services.quit_all(self.host, SERVICE)
        self.journal.put_back()
        if self._aside.is_dir():
            link = self.host.path(self.current)
            if link.is_symlink():
                link.unlink()
            self._aside.replace(link)

    def revive(self) -> str:
        """Have the version of before work; return why it does not, nothing when it does."""
        if self._wanted:
            services.systemctl("start", vendor_unit.UNIT)
            return ""
        if services.systemctl("is-active", SERVICE).said == "inactive":
            return ""
        services.systemctl("--no-block", "restart", SERVICE)
        return _trouble("", patient=True)

    def owes(self) -> list[str]:
        """Return the former folder."""
        return [self.old] if self.moved(self.folder, self.old) else []

    def leave(self, what: str, place: str) -> None:
        """Leave a former folder."""
        if self.moved(place, what) and self.host.path(what).is_dir():
            remove_programs(self.host, what)
            theirs = bool(vendor.back(self.host, f"{what}/{vendor_unit.PROGRAM}"))
            self.leave_configuration(place, what, theirs=theirs)

    def sweep(self) -> None:
        """Take away versions of before, once nothing runs from them."""
        for path in (*self.host.path(self.folder).glob("python-*"), self._aside):
            place = f"{self.folder}/{path.name}"
            if path.is_dir() and place != self.tree and not self.host.in_use(place):
                remove(path)

    def tell(self) -> None:
        """Say what was installed."""
        say(f"InStorage {self.run.version} is installed as provisioner in {self.folder}.")


def _trouble(tree: str, *, patient: bool) -> str:
    """Return why the provisioner that runs from `tree` (empty: any) does not work; nothing when it does.

    `patient`: one that waits for the API server works. After the vendor's, which had access, it does not.
    """
    state, runs_there = "", False

    def ended() -> bool:
        nonlocal state, runs_there
        state = services.shown("SubState", SERVICE)
        runs_there = executable(services.shown("MainPID", SERVICE)).startswith(f"{tree}/")
        return (state == "running" and runs_there) or state.startswith(("failed", "auto-restart"))

    services.poll(ANSWER, ended)
    if runs_there and state == "running":
        return ""
    if runs_there and state == "start" and patient:
        complain("the provisioner waits for the API server: journalctl -u instorage-provisioner.")
        return ""
    return f"{SERVICE} is '{state}': journalctl -u instorage-provisioner says why."


def remove_programs(host: Host, folder: str) -> None:
    """Take away programs and versions of a folder."""
    there = host.path(folder)
    theirs = vendor_unit.theirs(there / vendor_unit.PROGRAM)
    programs = [name for name in PROGRAMS if not theirs or name != vendor_unit.PROGRAM]
    for name in ("python", "python.before", ".before", ".gone", ".owed", ".new", *programs):
        remove(there / name)
    for tree in there.glob("python-*"):
        remove(tree)
