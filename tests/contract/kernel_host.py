"""The stand-in of sysfs and multipathd, with devices that hold something, and programs that look at it.

What a volume holds is a line: kind, UUID, whether it was used; empty when it is new.
"""

from __future__ import annotations

import contextlib
import os

from helper import scsi
from tests.contract.fake_mounts import number_of
from tests.contract.world import GIB
from tests.helper.host import Host

BLKID = """for path; do :; done
read -r kind uuid used <"$path" || exit 2
[ "$kind" = data ] && exit 2
echo "TYPE=$kind"; echo "UUID=$uuid" """
MKFS = """for path; do :; done
while [ "$1" != -- ]; do case "$1" in -U) uuid=$2;; uuid=*) uuid=${{1#uuid=}};; esac; shift; done
echo "{kind} $uuid new" >"$path"
[ ! -e {broken} ] || {{ rm {broken}; exit 1; }}"""


class KernelHost(Host):
    """Each device has its links below /sys/dev and /dev/disk; disks of one volume share what they hold.

    `idle`: multipathd answers and does nothing.
    """

    idle = False

    def disk(self, name: str, hctl: str, uid: str, size: int = GIB, **facts: str) -> None:  # type: ignore[override]
        with contextlib.suppress(FileNotFoundError):
            os.link(self.root / "content" / uid, self.root / "dev" / name)
        super().disk(name, hctl, uid, size, **facts)
        self._link(name, f"wwn-0x{uid}")

    def map(self, uid: str, *disks: str, size: int = 0) -> str:
        name = super().map(uid, *disks, size=size or min(scsi.size(disk) for disk in disks))
        (self.root / "dev" / name).unlink()
        os.link(self.root / "content" / uid, self.root / "dev" / name)
        self._link(name, f"dm-uuid-mpath-3{uid}")
        return name

    def _obey(self, asked: str) -> str:
        return "ok" if self.idle else super()._obey(asked)

    def _link(self, name: str, stable: str) -> None:
        at = self.root / "dev/disk/by-id" / stable
        at.unlink(missing_ok=True)
        at.symlink_to(self.root / "dev" / name)
        (self.root / f"sys/dev/block/{number_of(name)}").symlink_to(self.root / f"sys/block/{name}")
