"""The product on a node of the lab: installed, configured and started as an administrator would.

Nothing here knows how the product works inside; it unpacks `tools.install`'s tree, writes the configuration
of the manual, and starts `instorage-node.target`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.install import PLUGIN, ROOT, STUB, as_tar
from tools.lab.topology import MANAGEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.lab.archive import Unpacked
    from tools.lab.machine import Machine

CONFIGURATION = f"/{PLUGIN}/config/instorage.yaml"
USER = "superuser"
PASSWORD = "Passw0rd-of-the-lab"
PATIENCE = {f"{key}RetryTimes": 100 for key in ("scsiScan", "iscsiPathCheck", "multipathSearch")}
"""Upper bounds, never paid as sleeps: a guest is up to twelve times slower than a machine."""
LABELLED = f"/usr/lib/instorage/*/libexec /{PLUGIN} /etc/instorage /run/instorage"
"""What a tar lays down in directories whose label is not its own; the rest has that of its directory."""
ACTIVATE = f"""
systemd-tmpfiles --create && chown -R root:instorage-agent /{PLUGIN}/config &&
{{ ! command -v restorecon >/dev/null || restorecon -R {LABELLED}; }} &&
systemctl daemon-reload && systemctl start instorage-node.target
"""
NO_CHECKOUT = "test -e /usr/lib/instorage/current || rm -rf /usr/lib/instorage"
"""The ordinary lab's image has a Python environment there, for a checkout; a user's node has none."""
RESIDUE = {
    "SCSI devices": "ls -d /sys/class/scsi_device/* 2>/dev/null",
    "multipath maps": "dmsetup ls --target multipath | grep -v '^No devices found$'",
    "mounts": "grep -E 'kubernetes|instorage' /proc/self/mountinfo",
    "known WWIDs": "grep -v '^#' /etc/multipath/wwids",
    "records": "find /var/lib/instorage/volumes /var/lib/instorage-helper -type f 2>/dev/null",
    "abandoned children": "ls /run/instorage/abandoned 2>/dev/null",
}
"""What a volume may leave on a node, and the command that lists it (nothing printed: nothing left)."""
_BUILD = threading.Lock()


def build_stub() -> None:
    """Build the stub for this machine, if its source is newer."""
    with _BUILD:  # two nodes are installed side by side
        subprocess.run(["make", "-s", "stub"], cwd=ROOT, check=True, timeout=300)
    if not STUB.exists():
        raise FileNotFoundError(STUB)


def host_settings(link: str = "iscsi") -> dict[str, Any]:
    """Return the configuration's `host` section for a link."""
    return {"link": link, **PATIENCE}


@dataclass
class Product:
    """The installed product on `machine`."""

    machine: Machine
    password: str = PASSWORD
    host: dict[str, Any] = field(default_factory=host_settings)
    storages: tuple[str, ...] = ("storage-01",)

    def install(self) -> None:
        """Unpack, configure, start; returns when the units are up."""
        build_stub()
        self.machine.put_tree("/", as_tar())
        self.machine.run("systemd-sysusers")  # the configuration's group
        self.configure()
        self.machine.run(ACTIVATE, timeout=120)

    def install_from(self, archive: Unpacked) -> float:
        """Install and configure as the archive's README says; return the installer's seconds."""
        self.machine.run(NO_CHECKOUT)
        took = archive.run("--node").seconds
        self.configure()
        return took

    def configure(self, **host: object) -> None:
        """Write `instorage.yaml` (JSON is YAML); `host` settings are added to those in force."""
        self.host |= host
        addresses = list(MANAGEMENT)
        text = {
            "log": {"enabled": False, "level": "debug"},
            "host": self.host,
            "storage": [
                {
                    "name": name,
                    "type": "AS18000",
                    "host": f"{addresses[number]}:22",
                    "username": USER,
                    "password": self.password,
                }
                for number, name in enumerate(self.storages)
            ],
        }
        self.machine.put(CONFIGURATION, json.dumps(text, indent=1) + "\n", 0o640)
        self.machine.run(f"chown root:instorage-agent {CONFIGURATION}")

    @contextlib.contextmanager
    def configured(self, **host: object) -> Iterator[None]:
        """Have `host` settings in force for a while, for the helper too, which reads them when it starts."""
        before = dict(self.host)
        self.configure(**host)
        self.machine.run("systemctl stop instorage-helper.service")
        try:
            yield
        finally:
            self.host = before
            self.configure()
            self.machine.run("systemctl stop instorage-helper.service")

    def journal(self, *fields: str, since: str | None = None) -> list[dict[str, Any]]:
        """Return journal records of the product's units, oldest first; `fields` are journalctl matches."""
        units = "-u instorage-nodeagent -u instorage-helper"
        matches = " ".join(fields) if fields else units
        window = f"--since=@{since}" if since else ""
        shown = self.machine.run(f"journalctl -b -q -o json --no-pager {window} {matches}", timeout=60).stdout
        return [json.loads(line) for line in shown.splitlines()]

    def residue(self) -> dict[str, str]:
        """Return what volumes have left on the node."""
        return residue(self.machine)


def residue(machine: Machine) -> dict[str, str]:
    """Return what volumes have left on a node, by kind; empty when the node is clean."""
    script = "; ".join(f"echo '## {kind}'; {command}" for kind, command in RESIDUE.items())
    found: dict[str, str] = {}
    kind = ""
    for line in machine.run(script, check=False).stdout.splitlines():
        if line.startswith("## "):
            kind = line[3:]
        elif line.strip():
            found[kind] = f"{found.get(kind, '')}{line}\n"
    return found
