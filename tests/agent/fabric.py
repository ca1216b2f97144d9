"""Adapters and ports of Fibre Channel in a bench's sysfs, and a helper whose Attach makes disks there."""

from __future__ import annotations

import contextlib
import shutil
import threading
from typing import TYPE_CHECKING, Any

from tests.agent.attribute import show
from tests.agent.bench import GIB, Bench
from tests.agent.simulated_array import WWPNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instorage.wire.values import VolumeUid


FIRST = 3  # SCSI host of the first adapter


class Fabric:
    """A bench whose second adapter has no login at first; a volume has a map in sysfs, a disk a port."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.sys = bench.directory / "sys"
        plain = bench.helper.do_attach

        def attach(asked: dict[str, Any]) -> dict[str, Any]:
            """What the helper found becomes what the kernel shows."""
            said = plain(asked)
            for path in asked["fc_paths"]:
                self.show(asked["uid"], path["target"])
            return said

        bench.helper.do_attach = attach  # type: ignore[method-assign]

    def log_in(self, adapter: int, *nodes: int) -> None:
        """Have the adapter be logged in to these nodes of the array, and the kernel know their ports."""
        self.bench.do("logins", port=WWPNS[adapter], nodes=[*nodes])
        rows = self.bench.array._cli.rows("lsfabric", "-host", "fc-node1")
        mine = {row["id"]: row["local_wwpn"].lower() for row in rows if row["remote_wwpn"] == WWPNS[adapter]}
        assert len(mine) == len(nodes)
        for node, port in mine.items():
            if not self.rport(adapter, int(node)).exists():
                self.bench.see(adapter, int(node), port)

    def rport(self, adapter: int, node: int) -> Path:
        """What the kernel knows of a node's port behind one of the adapters."""
        return self.sys / f"class/fc_remote_ports/rport-{adapter + FIRST}:0-{node}"

    def state(self, adapter: int, node: int, state: str) -> None:
        """Have the kernel say so of that port."""
        show(self.rport(adapter, node) / "port_state", state)

    def show(self, uid: str, port: str) -> None:
        """A disk of the volume behind that port, in its map, for each adapter that is logged in to it."""
        for at in sorted((self.sys / "class/fc_remote_ports").iterdir()):
            if port in (at / "port_name").read_text() and "Online" in (at / "port_state").read_text():
                self._disk(uid, at.name)

    def disk(self, adapter: int, node: int) -> Path:
        """Its disk there."""
        return self.sys / f"block/sd{100 * (adapter + FIRST) + node}"

    def drop(self, adapter: int, node: int) -> None:
        """The kernel waits for no port for ever (dev_loss_tmo): the port stays known, its disk goes."""
        self.state(adapter, node, "Not Present")
        disk = self.disk(adapter, node)
        (self.sys / "block/dm-0/slaves" / disk.name).unlink()
        shutil.rmtree((disk / "device").resolve())
        shutil.rmtree(disk)

    def _disk(self, uid: str, rport: str) -> None:
        host, node = int(rport[6]), int(rport.rpartition("-")[2])
        number = 100 * host + node
        device = self.sys / f"devices/host{host}/{rport}/target{host}:0:{node}/{host}:0:{node}:0"
        if device.exists():
            return
        _write(device, state="running")
        block = self.sys / f"block/sd{number}"
        _write(block, dev=f"8:{number}")
        (block / "device").symlink_to(device)
        at = self.sys / "block/dm-0"
        _write(at / "dm", uuid=f"mpath-3{uid}")
        _write(at, size=str(GIB // 512))
        _write(at / "slaves", **{block.name: ""})

    def disks(self) -> int:
        """How many disks are in the map."""
        return len(list((self.sys / "block/dm-0/slaves").iterdir()))

    def look(self) -> None:
        """As an event of the kernel has it done."""
        self.bench.agent._node.expected.look()

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """Let no look begin meanwhile, as if all of it came at once: one of the set-up may be under way."""
        healer, eyes = self.bench.agent.healer, threading.Lock()
        plain = healer._look_at

        def look_at(uids: frozenset[VolumeUid] | None) -> None:
            with eyes:
                plain(uids)

        healer._look_at = look_at  # type: ignore[method-assign]
        with eyes:
            yield


def _write(folder: Path, **attributes: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in attributes.items():
        show(folder / name, value)
