"""A data plane in memory that can be told to fail, and a volume that an array maps over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.dataplane.plane import DataPlaneError, FcTarget, Inventory, Lun, Target, is_wwpn
from tests.simulator.conftest import IQN, Client

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND = f"{IQN}-2"

CREATE = "mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0"


class Shelf:
    """A data plane in memory. `failing` maps a verb to the number of calls that go well before one fails."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.ports: list[FcTarget] = []
        self.logged_in: dict[str, list[str]] = {}
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

    def open(self, targets: Sequence[Target], ports: Sequence[FcTarget] = ()) -> None:
        self.targets, self.ports = list(targets), list(ports)

    def admit(self, initiator: str) -> None:
        self._call("admit")
        self.initiators.add(initiator)

    def expel(self, initiator: str) -> None:
        self._call("expel")
        self.initiators.discard(initiator)

    def map(self, uid: str, size: int, initiator: str, lun: int) -> None:
        self._call("map")
        assert initiator in self.initiators
        assert self.luns.get((initiator, lun), uid) == uid
        self.volumes.setdefault(uid, size)
        self.luns[initiator, lun] = uid

    def unmap(self, initiator: str, lun: int) -> None:
        self._call("unmap")
        self.luns.pop((initiator, lun), None)

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
        over_fc = {wwpn: self._nodes(ports) for wwpn, ports in self.logged_in.items()}
        return {iqn: [1, 2] for iqn in self.initiators if not is_wwpn(iqn)} | over_fc

    def fabric(self) -> dict[str, list[str]]:
        return dict(self.logged_in)

    def _nodes(self, ports: list[str]) -> list[int]:
        return sorted({port.node for port in self.ports if port.wwpn in ports})

    def portal(self, node: int, *, up: bool) -> None:
        self._call("portal")

    def drop(self, initiator: str) -> None:
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
