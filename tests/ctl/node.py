"""A node with volumes, its array and its helper, and `instoragectl` as a process of its own on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.agent.bench import Bench
from tests.ctl.host_root import HostRoot

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
HOUR_AGO = "2020-01-01T00:00:00+00:00"


class Node(Bench):
    """A bench whose directory is the root of a healthy host."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.root = HostRoot(self.directory)
        self.root.say_units()
        self.start()

    def environment(self) -> dict[str, str]:
        """Where programs of ours find this node."""
        return {
            "PATH": "/usr/bin:/bin",
            "INSTORAGE_ROOT": str(self.directory),
            "INSTORAGE_PLUGIN": str(self.directory / "plugin"),
            "INSTORAGE_KUBELET_ROOTS": str(self.directory / "var/lib/kubelet"),
            "STATE_DIRECTORY": str(self.directory / "state"),
            "INSTORAGE_HELPER_SOCKET": str(self.directory / "helper.sock"),
        }

    def ctl(self, *arguments: str, status: int | None = 0, **environment: str) -> str:
        """What `instoragectl` prints; `status` None: any."""
        done = subprocess.run(
            [sys.executable, "-m", "nodeagent.administration.ctl", *arguments],
            cwd=ROOT, env=self.environment() | environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert status in (None, done.returncode), done.stdout + done.stderr
        self.errors = done.stderr
        return done.stdout

    def doctor(self, *arguments: str) -> dict[str, Any]:
        """What doctor says to programs."""
        return dict(json.loads(self.ctl("doctor", "--json", *arguments, status=None)))

    def found(self, *arguments: str) -> list[dict[str, str]]:
        """Its findings without the notes."""
        return [one for one in self.doctor(*arguments)["findings"] if one["severity"] != "ok"]

    def codes(self, *arguments: str) -> list[str]:
        return [one["code"] for one in self.found(*arguments)]

    def age(self) -> None:
        """Have every record be of an attach long ago."""
        for path in (self.directory / "state/volumes").iterdir():
            path.write_text(json.dumps(json.loads(path.read_text()) | {"created": HOUR_AGO}))

    def close_all_but_the_bundle(self) -> None:
        """Have nothing of the node that could still be asked."""
        self.helper.stop()
        for path in self.directory.glob("usr/sbin/*"):
            path.unlink()

    def log_in(self) -> None:
        """Have a session to each portal, so that attaches need no probe."""
        for number, portal in self.portals.items():
            address, _, port = portal.rpartition(":")
            at = f"sys/class/iscsi_connection/connection{number}:0"
            self.root.write(f"{at}/persistent_address", f"{address}\n")
            self.root.write(f"{at}/persistent_port", f"{port}\n")
            self.root.write(f"sys/class/iscsi_session/session{number}/state", "LOGGED_IN\n")

    def show_ends(self, uid: str) -> None:
        """Have the kernel say of a volume's paths where they lead: to the portals of the array."""
        known = [(str(one.portal), str(one.iqn)) for one in self.array.iscsi_targets()]
        self.helper.ends[uid] = [{"portal": portal, "target": name} for portal, name in known]

    def in_use(self, *names: str) -> dict[str, str]:
        """Volumes that pods use since long; their UIDs by name."""
        made = {name: self.create(name) for name in names}
        for name in names:
            self.use(name)
        self.age()
        return made


def made(directory: Path, portal: Callable[[], str]) -> Node:
    """Return a node with two portals."""
    return Node(directory, {1: portal(), 2: portal()})
