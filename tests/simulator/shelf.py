"""A data plane in memory that can be told to fail, and a volume that an array maps over it."""

from __future__ import annotations

import pytest

from simulator.dataplane.plane import DataPlaneError, Inventory, Lun, Target
from tests.simulator.conftest import IQN, Client

SECOND = f"{IQN}-2"

CREATE = "mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0"


class Shelf:
    """A data plane in memory. `failing` maps a verb to the number of calls that go well before one fails."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.volumes: dict[str, int] = {}
        self.initiators: set[str] = set()
        self.luns: dict[tuple[str, int], str] = {}
        self.failing: dict[str, int] = {}

    def _call(self, verb: str) -> None:
        if verb in self.failing:
            self.failing[verb] -= 1
            if self.failing[verb] < 0:
                del self.failing[verb]
                raise DataPlaneError(f"{verb} fails")

    def open(self, targets: list[Target]) -> None:
        self.targets = targets

    def admit(self, iqn: str) -> None:
        self._call("admit")
        self.initiators.add(iqn)

    def expel(self, iqn: str) -> None:
        self._call("expel")
        self.initiators.discard(iqn)

    def map(self, uid: str, size: int, iqn: str, lun: int) -> None:
        self._call("map")
        assert iqn in self.initiators
        assert self.luns.get((iqn, lun), uid) == uid
        self.volumes.setdefault(uid, size)
        self.luns[iqn, lun] = uid

    def unmap(self, iqn: str, lun: int) -> None:
        self._call("unmap")
        self.luns.pop((iqn, lun), None)

    def delete(self, uid: str) -> None:
        self._call("delete")
        assert uid not in self.luns.values()
        self.volumes.pop(uid, None)

    def resize(self, uid: str, size: int) -> None:
        self._call("resize")
        self.volumes[uid] = size

    def usage(self) -> dict[str, int]:
        return dict.fromkeys(self.volumes, 4096)

    def sessions(self) -> dict[str, list[int]]:
        self._call("sessions")
        return {iqn: [1, 2] for iqn in self.initiators}

    def portal(self, node: int, *, up: bool) -> None:
        self._call("portal")

    def drop(self, iqn: str) -> None:
        self._call("drop")

    def inventory(self) -> Inventory:
        luns = [Lun(iqn, lun, uid) for (iqn, lun), uid in self.luns.items()]
        return Inventory(dict(self.volumes), sorted(self.initiators), luns)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def mapped(ssh: Client) -> None:
    ssh.good(CREATE)
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN},{SECOND} -name h")
    ssh.good("mcsop mkvdiskhostmap -host h v")
