"""A host's file system in a directory, as a healthy node has it: files, and programs that answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.administration.doctor.examination import examine
from nodeagent.administration.doctor.host import Host, Setup
from nodeagent.administration.doctor.looks import Looks
from nodeagent.administration.doctor.multipath import MANUAL, PRODUCT, VENDOR
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from pathlib import Path

IQN = "iqn.1993-08.org.debian:01:node1"
UNITS = {
    "iscsid.service": "inactive", "iscsid.socket": "active", "multipathd.service": "active",
    "multipathd.socket": "inactive", "instorage-helper.socket": "active",
    "instorage-nodeagent.socket": "active", "instorage-nodeagent.service": "active",
    "instorage-provisioner.service": "",
}  # fmt: skip
PROGRAMS = {
    "uname": "echo 6.1.0-18-amd64",
    "iscsiadm": "echo iscsiadm version 2.1.8",
    "multipath": "echo 'multipath-tools v0.9.4 (12/19, 2022)' >&2; exit 1",
    "mke2fs": "echo 'mke2fs 1.47.0 (5-Feb-2023)' >&2",
    "mkfs.xfs": "echo mkfs.xfs version 6.1.0",
    "timedatectl": "echo NTPSynchronized=yes",
    "ping": "exit 0",
}


class HostRoot:
    """`units` are what systemctl says; a test changes what it wants, and asks `findings`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.units = {name: {"ActiveState": state} for name, state in UNITS.items()}
        self.units["instorage-nodeagent.service"]["StatusText"] = "Ready"
        self.write("etc/iscsi/initiatorname.iscsi", f"## made at installation\nInitiatorName={IQN}\n")
        self.write("etc/multipath.conf", 'blacklist {\n  devnode "^sda$"\n}\n')
        self.write("etc/passwd", "root:x:0:0::/root:/bin/sh\ninstorage-agent:x:990:991::/:/bin/false\n")
        self.write("etc/group", "root:x:0:\ninstorage-agent:x:991:\ninstorage:x:992:instorage-agent\n")
        self.write("proc/1/mountinfo", "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n")
        self.write("plugin/instorage-flexvolume", "", 0o755)
        for name in ("var/lib/kubelet", "run", "state/volumes", "plugin/config"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name, text in PROGRAMS.items():
            self.program(name, text)
        self.program("systemctl", "")
        self.have_in_force()

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def program(self, name: str, script: str) -> None:
        self.write(f"usr/sbin/{name}", f"#!/bin/sh\n{script}\n", 0o755)

    def have_in_force(self, more: str = "", **changed: str) -> None:
        """Have multipathd say the manual's section, with other values for some keys, and more sections."""
        keys = {"vendor": VENDOR, "product": PRODUCT, **MANUAL, **changed}
        text = "\n".join(f'\t\t{key} "{value}"' for key, value in keys.items())
        self.write("in-force", f"devices {{\n\tdevice {{\n{text}\n\t}}\n}}\n{more}")
        self.program("multipathd", f"cat {self.root}/in-force")

    def say_units(self) -> None:
        """Have systemctl say `units`."""
        blocks = []
        for name, said in self.units.items():
            state = said.get("ActiveState", "")
            facts = {
                "LoadState": "loaded" if state else "not-found",
                "ActiveState": state or "inactive",
            } | said
            facts["ActiveState"] = state or "inactive"
            blocks.append("\n".join(f"{key}={value}" for key, value in {"Id": name, **facts}.items()))
        self.write("units", "\n\n".join(blocks) + "\n")
        self.program("systemctl", f"[ $1 = show ] && cat {self.root}/units || echo 'systemd 252 (252.30)'")

    def setup(self, **more: object) -> Setup:
        root = str(self.root)
        told = Setup(
            f"{root}/plugin", f"{root}/plugin/config/instorage.yaml", f"{root}/state", f"{root}/helper.sock",
            (f"{root}/var/lib/kubelet",), "iscsi", "node1", host_names=("iscsi-node1",),
        )  # fmt: skip
        return Setup.from_json({**told.to_json(), **more})

    def findings(self, *checks: str, **setup: object) -> list[Finding]:
        """What these checks find, notes left out."""
        self.say_units()
        found = examine(Host(Looks(self.root), self.setup(**setup)), checks, 50)
        return [one for one in found.findings if one.severity is not Severity.OK]

    def codes(self, *checks: str, **setup: object) -> list[str]:
        return [one.code for one in self.findings(*checks, **setup)]
