"""What the vendor's K8sPlugin V2.1.0 and kubelet leave on a node, made by hand and in their order.

It has a host object called after /etc/hostname, maps with -force, discovers at each portal and logs in there
with open-iscsi's own settings (every LUN comes), takes the map that it finds over a disk, else the disk.
What is formatted and mounted, and bound into the pod, is kubelet's doing: the program does not support those
calls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.reachability import wait_until
from tests.packaging.vendors import CONFIGURATION as VENDORS_OWN
from tests.packaging.vendors import PROGRAM, STUB
from tools.lab.product import CONFIGURATION, PASSWORD, PATIENCE, USER
from tools.lab.topology import MANAGEMENT, PORTALS

if TYPE_CHECKING:
    from tools.lab import Machine
    from tools.lab.kubelet import Kubelet
    from tools.lab.san import San

MAPS = "defaults {\n  find_multipaths no\n  user_friendly_names yes\n}\n"
APPEARS = 60  # seconds, in an emulated machine
ROWS = "i=0; while i=$((i + 1)); do echo $i >>{file} && sync {file} || exit 1; sleep 0.1; done"


@dataclass
class Vendors:
    """The program on a node, and its array."""

    node: Machine
    san: San

    def deploy(self) -> None:
        """Copy its folder to the node, as the manual's 2.1 has it, and fill the configuration in."""
        patience = "".join(f"  {key}: {times}\n" for key, times in PATIENCE.items())
        text = VENDORS_OWN.replace("  link: iscsi\n", f"  link: iscsi\n{patience}")
        for old, new in {"10.0.0.1": next(iter(MANAGEMENT)), "username\n": f"{USER}\n"}.items():
            text = text.replace(f": {old}", f": {new}")
        text = text.replace("password: password", f"password: {PASSWORD}")
        folder = STUB.rpartition("/")[0]
        self.node.run(f"mkdir -p /{folder}/config /{folder}/log; uname -n >/etc/hostname")
        self.node.put(f"/{STUB}", PROGRAM, 0o755)
        self.node.put(CONFIGURATION, text, 0o600)

    def map(self, volume: str) -> int:
        """Map a volume to this node's host object, made if it is not there; return its LUN."""
        host = f"iscsi-{self.node.read('/etc/hostname').decode().strip()}"
        name = (
            self.node.read("/etc/iscsi/initiatorname.iscsi").decode().partition("InitiatorName=")[2].strip()
        )
        if f"!{host}!" not in self.san.command("mcsinq lshost -delim !"):
            self.san.command(f"mcsop mkhost -force -iscsiname {name} -name {host}")
        self.san.command(f"mcsop mkvdiskhostmap -force -host {host} {volume}")
        shown = self.san.command(f"mcsinq lsvdiskhostmap -delim ! {volume}").splitlines()
        return int(dict(zip(shown[0].split("!"), shown[1].split("!"), strict=True))["SCSI_id"])

    def disks(self, lun: int) -> list[str]:
        """Log in where no session is, look again where one is; return the disks of a LUN, one a portal."""
        found = []
        for portal in (f"{address}:3260" for address in PORTALS):
            target = self._session(portal) or self._login(portal)
            link = f"/dev/disk/by-path/ip-{portal}-iscsi-{target}-lun-{lun}"
            found.append(self._appeared(link))
        return found

    def _appeared(self, link: str) -> str:
        """Wait for udev's link to a disk, and return the disk."""
        wait_until(lambda: not self.node.run(f"test -b {link}", check=False).exit_status, APPEARS)
        return self.node.run(["readlink", "-f", link]).stdout.strip()

    def _session(self, portal: str) -> str:
        """Have a session bring the LUNs that are new, and return its target; empty when there is none."""
        listed = self.node.run("iscsiadm -m session", check=False).stdout
        known = re.search(rf" {re.escape(portal)},\d+ (\S+)", listed)
        if known is None:
            return ""
        self.node.run(f"iscsiadm -m node -p {portal} -T {known[1]} -R", timeout=120)
        return known[1]

    def _login(self, portal: str) -> str:
        """Discover, log in, have nothing come back at a boot; return the target."""
        base = f"iscsiadm -m discoverydb -t sendtargets -p {portal}"
        listed = self.node.run(f"{base} -o new >/dev/null && {base} --discover").stdout
        target = next(line.split()[1] for line in listed.splitlines() if line.startswith(f"{portal},"))
        node = f"iscsiadm -m node -p {portal} -T {target}"
        self.node.run(f"{node} --login && {node} -o update -n node.startup -v manual", timeout=120)
        return target

    def map_of(self, disk: str) -> str:
        """Have multipathd make maps of the array's disks, as on a node of Red Hat's; return a disk's."""
        self.node.put("/etc/multipath.conf", MAPS)
        self.node.run("multipathd reconfigure")
        holders = f"ls /sys/block/{disk.rpartition('/')[2]}/holders"
        wait_until(lambda: self.node.run(holders).stdout.startswith("dm-"), APPEARS)
        return f"/dev/{self.node.run(holders).stdout.split()[0]}"

    def mount(self, device: str, kubelet: Kubelet) -> None:
        """Do what kubelet does by itself: format, mount as a device, bind into the pod."""
        places = f"{kubelet.device_mount} {kubelet.pod_directory}"
        self.node.run(
            f"mkfs.ext4 -q -F -m0 {device} && mkdir -p {places} && "
            f"mount -t ext4 -o rw,defaults {device} {kubelet.device_mount} && mount --bind {places}",
            timeout=120,
        )

    def write(self, kubelet: Kubelet, unit: str) -> None:
        """Have the pod write rows, each on the disk before the next."""
        file = f"{kubelet.pod_directory}/rows"
        self.node.run(["systemd-run", "-q", f"--unit={unit}", "sh", "-c", ROWS.format(file=file)])

    def rows(self, kubelet: Kubelet) -> list[str]:
        """Return the rows that the pod has written."""
        return self.node.read(f"{kubelet.pod_directory}/rows").decode().split()
