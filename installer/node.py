"""A node's part: agent, helper, stub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from installer import (
    agent,
    multipath,
    pages,
    places,
    records,
    selinux,
    services,
    sessions,
    units,
    users,
    vendor,
    zoning,
)
from installer.files import own, remove
from installer.host import run
from installer.part import Part
from installer.places import LIBEXEC, LIBRARY, PLUGIN
from installer.saying import Ending, say
from installer.tree import put as put_tree

if TYPE_CHECKING:
    from pathlib import Path

    from installer.part import Run

WAYS: Final = "the vendor's ways"
CHECKOUT: Final = ("bin", "lib", "lib64", "include", "share", "pyvenv.cfg")  # of an environment of a checkout


class Node(Part):
    """What a node needs."""

    name = "node"
    user = users.AGENT
    current = f"{LIBRARY}/current"

    def __init__(self, run_: Run) -> None:
        super().__init__(run_, LIBRARY, run_.places.plugin, run_.places.old_plugin)
        self.plugin = self.place
        self.vendors = vendor.found(self.host, self.plugin)
        killed = self.journal.before.is_dir()
        self.served = killed and bool(records.volumes(self.host, records.VOLUMES))

    def first(self) -> bool:
        """Whether no version of ours was here before."""
        return self.journal.had_none(f"{LIBEXEC}/instorage-nodeagent")

    def put(self) -> None:
        """Put every file; the link to the version before any name of a program leads to it."""
        where = self.run.places
        self.put_user()
        self.files.make_directory("/etc/instorage", 0o755)
        self.files.make_directory(self.plugin, 0o755)
        self.files.make_directory(f"{self.plugin}/log", 0o755, f"{self.user}:{self.user}")
        self.put_configuration(self.plugin, where.old_plugin)
        for place in dict.fromkeys((self.plugin, where.old_plugin)):
            vendor.keep(self.files, place)
        places.put(self.files, {"INSTORAGE_PLUGIN": self.plugin, "INSTORAGE_KUBELET_ROOTS": where.roots})
        self._put_version()
        self.put_units()
        pages.put(self.files, self.run.archive / "man")
        self._put_drop_ins()
        self.run.next += filter(None, [multipath.put(self.files)])
        if not self.host.live or not self.first():
            self._put_stub()
        selinux.load(self.host, self.run.archive)
        self.label(
            LIBRARY, LIBEXEC, self.plugin, "/usr/sbin/instoragectl", "/etc/instorage", "/run/instorage"
        )

    def _put_stub(self) -> None:
        stub = self.run.archive / places.DRIVER / vendor.STUB
        self.files.write(f"{self.plugin}/{vendor.STUB}", 0o755, stub)
        self.label(self.plugin)

    def _put_version(self) -> None:
        source = self.run.archive / "node"
        self.tree = put_tree(self.host, source, LIBRARY, self.run.version, self.run.beside)
        self.files.link(self.tree.rpartition("/")[2], self.current)
        for program in sorted(self.host.path(f"{self.tree}/libexec").iterdir()):
            target = f"../lib/instorage/current/libexec/{program.name}"
            if program.name == "instoragectl":
                self.files.link(target, f"/usr/sbin/{program.name}")
            else:
                self.files.link(f"../{target}", f"{LIBEXEC}/{program.name}")

    def _put_drop_ins(self) -> None:
        service = f"[Service]\nReadWritePaths=-{self.plugin}/log"
        socket = f"[Socket]\nListenStream=\nListenStream={self.plugin}/.agent.sock"
        usual = self.plugin == PLUGIN
        units.drop_in(self.files, agent.AGENT, "" if usual else service)
        units.drop_in(self.files, agent.SOCKET, "" if usual else socket)

    def start(self) -> None:
        """Start: the first one is enabled; one that an administrator has stopped or disabled stays so."""
        first = self.first()
        if not self.host.live:
            if first:
                self.files.link(f"{units.directory(self.host)}/{agent.TARGET}", units.ENABLED)
            return
        if not self.journal.before.is_dir() and not agent.trouble(self.plugin, self.tree):
            return
        services.systemctl("daemon-reload")
        services.update_catalog(self.host)
        if run("systemd-tmpfiles", "--create", "instorage-node.conf").status:
            self.host.path("/run/instorage").mkdir(exist_ok=True)
        if first:
            services.systemctl("--quiet", "enable", agent.TARGET)
        elif not services.is_active(agent.TARGET):
            say(f"{agent.TARGET} is stopped, and stays so: systemctl enable --now {agent.TARGET}.")
            return
        self._switch(first=first)

    def _switch(self, *, first: bool) -> None:
        services.systemctl("start", agent.TARGET)
        self._put_stub()  # the first one when its agent is there, so that no call of kubelet fails
        if not first or agent.trouble(self.plugin, self.tree):
            agent.restart(self.plugin)
        trouble = agent.trouble(self.plugin, self.tree)
        if trouble:
            raise Ending(4, trouble)

    def put_back(self) -> None:
        """Put back what was there before; the vendor's plugin knows nothing of services and records."""
        first = self.first()
        if first:
            services.quit_all(self.host, *units.NODE)
            remove(self.host.path(f"{self.plugin}/.agent.sock"))
        self.journal.put_back()
        if first:
            records.forget(self.host)

    def revive(self) -> str:
        """Have the version of before work; return why it does not, nothing when it does."""
        if self.first() or not services.is_active(agent.TARGET):
            return ""
        agent.restart(self.run.places.old_plugin)
        return agent.trouble(self.run.places.old_plugin, "")

    def owes(self) -> list[str]:
        """Return the former plugin directory (kubelet must not find two of them), and the vendor's ways."""
        moved = [self.old] if self.moved(self.plugin, self.old) else []
        return [*moved, *([WAYS] if self.vendors else [])]

    def leave(self, what: str, place: str) -> None:
        """Leave a former plugin directory, or the vendor's ways."""
        if what == WAYS:
            self._leave_ways(place)
        elif self.moved(place, what):
            for name in (vendor.STUB, ".agent.sock"):
                remove(self.host.path(f"{what}/{name}"))
            theirs = bool(vendor.back(self.host, f"{what}/{vendor.STUB}"))
            self.leave_configuration(place, what, theirs=theirs)

    def _leave_ways(self, place: str) -> None:
        if vendor.has(self.host.path(f"{place}/{vendor.STUB}")):  # it is in force again
            return
        own(self.host, f"{self.user}:{self.user}", self.host.path(f"{place}/log"))
        if self.host.live:
            sessions.quieten()

    def sweep(self) -> None:
        """Take away versions of before and a checkout's environment, once nothing runs from them."""
        for path in self.host.path(LIBRARY).glob("[!.]*"):
            if path.name not in ("current", self.tree.rpartition("/")[2]) and not self._needed(path):
                remove(path)
        for path in self.host.path(LIBEXEC).glob("[!.]*"):
            if path.is_symlink() and not path.exists():  # a program that this version has no more
                remove(path)

    def tell(self) -> None:
        """Say what was installed."""
        say(
            f"InStorage {self.run.version} is installed on this node: plugin {self.plugin}, kubelet's "
            f"directories {self.run.places.roots}."
        )
        program = self.host.path(f"{self.tree}/libexec/instoragectl")
        for line in zoning.proposals(self.host, self.plugin, program):
            say(line)

    def _needed(self, path: Path) -> bool:
        # Before versions had directories, a checkout's environment was all of this one.
        return self.host.in_use(f"{LIBRARY}/{'bin' if path.name in CHECKOUT else path.name}")
