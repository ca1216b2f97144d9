"""A node whose helper is the true one: what is refused of a volume is refused by root code itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.agent.bench import GIB, NODE, Bench, options
from tests.agent.helper_peer import IQN
from tests.contract.true_world import TrueWorld

if TYPE_CHECKING:
    from nodeagent.host.paths import Paths
    from tests.agent.call import Reply

HOST = "iscsi-node1"
PATIENCE = 90.0  # seconds for a call


class Shown(TrueWorld):
    """A true helper's world that shows the volumes of a simulated array."""

    @property
    def socket(self) -> str:
        """Where the helper listens."""
        return str(self._socket)

    def log_in(self, number: int, portal: str, target: str) -> None:
        self._host.session(number, portal, target)

    def show_as(self, uid: str, lun: int, size: int, hosts: tuple[int, ...]) -> None:
        """Have the kernel find the volume at that LUN, over these SCSI hosts."""
        (self._host.root / "content" / uid).touch()
        for host in hosts:
            self._host.luns[host, 0, lun] = (uid, size)

    def break_mkfs_midway(self) -> None:
        """Have the next format end before there is a superblock, as when its node loses power."""
        self._host.script("mkfs.ext4", 'for path; do :; done\necho data >"$path"\nexit 1')

    def forget_formats(self) -> None:
        """Be another node than the one that began a format: its records are on its own disk."""
        for record in (self._host.root / "format").iterdir():
            record.unlink()


@dataclass
class TrueBench(Bench):
    """An agent that talks to the true helper; `world` is what that one sees."""

    world: Shown = field(kw_only=True)

    @property
    def paths(self) -> Paths:
        return dataclasses.replace(super().paths, helper_socket=self.world.socket)

    def attach(self, volume: str, text: str = "") -> Reply:
        """As kubelet asks; root code forks for each look, which takes long on a busy machine."""
        return self.begin("waitforattach", NODE, text or options(volume)).reply(PATIENCE)

    def show(self, name: str, size: int = 0, on_array: int = GIB) -> str:
        """Make a volume that is mapped here; `size`: what the kernel finds, 0: nothing. Return its UID."""
        uid = self.create(name, size=on_array)
        self.make_host(HOST)
        self.map(name, HOST)
        (row,) = [one for one in self.do("volumes") if one["name"] == name]
        if size:
            self.world.show_as(uid, int(row["maps"][0]["lun"]), size, (8, 9))
        return uid

    def mount_here(self, name: str, access: str = "rw") -> Reply:
        """Ask for the device mount in the directory that this helper takes for kubelet's."""
        folder = "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts"
        target = f"{self.world.root}/{folder}/{name}"
        return self.begin("mountdevice", target, "/dev/ignored", options(name, access)).reply(PATIENCE)


def prepare(bench: TrueBench) -> None:
    """Log this node in to the array's portals, under the name by which the array knows it."""
    bench.world.initiator(IQN)
    targets = {str(one.portal): str(one.iqn) for one in bench.array.iscsi_targets()}
    for number, portal in enumerate(bench.portals.values(), 8):
        bench.world.log_in(number, portal, targets[portal])
