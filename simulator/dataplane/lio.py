"""The data plane of the kernel's LIO target, through plain configfs.

A volume is an iblock backstore over a loop device over a sparse file, a LUN of every portal group under the
same index, and shown to an initiator by a mapped LUN of its node ACL. No rtslib: it lacks company_id and the
truth about sessions. Vendor, product and the NAA 6 identifier of page 0x83 are the array's; the ALUA groups,
one for each node, are implicit only, as arrays do. The guest side: standard library only. Source: lab notes,
section 3 and part D.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from simulator.dataplane import loop
from simulator.dataplane.configfs import CONFIGFS, links, load, remove_with_links, told, write
from simulator.dataplane.fibre_channel import FcGroup
from simulator.dataplane.group import PortalGroup
from simulator.dataplane.iscsi import IscsiGroup
from simulator.dataplane.plane import DataPlaneError, FcTarget, Inventory, Lun, Target

MODULES = ("loop", "target_core_mod", "target_core_iblock", "iscsi_target_mod")
OPTIMIZED, NON_OPTIMIZED, IMPLICIT = 0, 1, 1


class LioDataPlane:
    """Exports the volumes of one array on this machine; `backing` holds their files."""

    def __init__(self, backing: Path, configfs: Path = CONFIGFS) -> None:
        self._backing = backing
        self._configfs = configfs
        self._root = configfs / "target"
        self._groups: list[PortalGroup] = []

    def open(self, targets: Sequence[Target], ports: Sequence[FcTarget] = ()) -> None:
        """See DataPlane."""
        with told():
            self._load(fibre_channel=bool(ports))
            self._backing.mkdir(parents=True, exist_ok=True)
            groups = [
                *(IscsiGroup(self._root, target) for target in targets),
                *(FcGroup(self._root, port) for port in ports),
            ]
            for group in groups:
                group.make()
            self._groups = groups

    def admit(self, initiator: str) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups_of(initiator):
                group.admit(initiator)

    def expel(self, initiator: str) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups_of(initiator):
                group.expel(initiator)

    def map(self, uid: str, size: int, initiator: str, lun: int) -> None:
        """See DataPlane."""
        self.admit(initiator)
        with told():
            index = self._export(uid, size)
            for group in self._groups_of(initiator):
                mapped = group.acl(initiator) / f"lun_{lun}"
                shown = _uid_behind(mapped)
                if shown not in (None, uid):
                    raise DataPlaneError(f"LUN {lun} of {initiator} shows {shown}")
                if shown is None:
                    mapped.mkdir(exist_ok=True)
                    (mapped / "volume").symlink_to(group.path / f"lun/lun_{index}")

    def unmap(self, initiator: str, lun: int) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups_of(initiator):
                remove_with_links(group.acl(initiator) / f"lun_{lun}")

    def delete(self, uid: str) -> None:
        """See DataPlane."""
        if any(lun.uid == uid for lun in self.inventory().luns):
            raise DataPlaneError(f"{uid} is mapped")
        with told():
            index = self._index(uid)
            for group in self._groups if index is not None else []:
                remove_with_links(group.path / f"lun/lun_{index}")
            store = self._store(uid)
            if store.is_dir():
                for group in self._groups:
                    with suppress(FileNotFoundError):
                        (store / "alua" / f"node{group.node}").rmdir()
                store.rmdir()
            loop.detach(self._file(uid))
            self._file(uid).unlink(missing_ok=True)

    def resize(self, uid: str, size: int) -> None:
        """See DataPlane."""
        with told():
            if self._file(uid).exists():
                os.truncate(self._file(uid), size)
                loop.take_size(self._file(uid))

    def usage(self) -> dict[str, int]:
        """See DataPlane."""
        with told():
            return {file.stem: file.stat().st_blocks * 512 for file in self._backing.glob("*.img")}

    def sessions(self) -> dict[str, list[int]]:
        """See DataPlane."""
        nodes: dict[str, set[int]] = {}
        with told():
            for group in self._groups:
                for initiator in group.logins():
                    nodes.setdefault(initiator, set()).add(group.node)
        return {initiator: sorted(numbers) for initiator, numbers in nodes.items()}

    def fabric(self) -> dict[str, list[str]]:
        """See DataPlane."""
        ports: dict[str, list[str]] = {}
        with told():
            for group in [group for group in self._groups if isinstance(group, FcGroup)]:
                for initiator in group.logins():
                    ports.setdefault(initiator, []).append(group.wwpn)
        return ports

    def portal(self, node: int, *, up: bool) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups:
                if group.node == node:
                    group.reopen() if up else group.close()

    def drop(self, initiator: str) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups_of(initiator):
                group.drop(initiator)

    def inventory(self) -> Inventory:
        """See DataPlane."""
        initiators: set[str] = set()
        luns: set[Lun] = set()
        with told():
            volumes = {file.stem: file.stat().st_size for file in self._backing.glob("*.img")}
            for group in self._groups:
                for initiator, acl in group.admitted():
                    if not (isinstance(group, FcGroup) and group.zoned(initiator)):
                        initiators.add(initiator)
                    for mapped in acl.glob("lun_*"):
                        number = int(mapped.name.removeprefix("lun_"))
                        luns.add(Lun(initiator, number, _uid_behind(mapped) or ""))
        return Inventory(volumes, sorted(initiators), sorted(luns, key=lambda lun: (lun.initiator, lun.lun)))

    def _load(self, *, fibre_channel: bool) -> None:
        folders = ("iscsi", "core/iblock_0", *(("fc",) if fibre_channel else ()))
        if not self._root.is_dir():
            load(self._configfs, MODULES)
        for part in folders:
            (self._root / part).mkdir(parents=True, exist_ok=True)

    def _groups_of(self, initiator: str) -> list[PortalGroup]:
        return [group for group in self._groups if group.accepts(initiator)]

    def _store(self, uid: str) -> Path:
        return self._root / "core/iblock_0" / uid

    def _file(self, uid: str) -> Path:
        return self._backing / f"{uid}.img"

    def _export(self, uid: str, size: int) -> int:
        """Make a volume a LUN of every portal group, as far as it is not; returns the LUN's index there."""
        if not self._file(uid).exists():
            with self._file(uid).open("wb") as file:
                file.truncate(size)
        if not self._enabled(uid):
            self._make_store(uid, loop.attach(self._file(uid)))
        index = self._index(uid)
        if index is None:
            taken = {lun.name for group in self._groups for lun in group.luns()}
            index = next(i for i in range(len(taken) + 1) if f"lun_{i}" not in taken)
        for group in self._groups:
            group.export(self._store(uid), index)
        return index

    def _enabled(self, uid: str) -> bool:
        enable = self._store(uid) / "enable"
        return enable.exists() and enable.read_text().strip() == "1"

    def _make_store(self, uid: str, device: Path) -> None:
        store = self._store(uid)
        store.mkdir(exist_ok=True)
        write(store / "control", f"udev_path={device}")
        write(store / "wwn/vendor_id", "INSPUR")
        write(store / "wwn/product_id", "MCS")
        # NAA type 6, six digits of company, the rest: together the 32 digits of the UID.
        write(store / "wwn/company_id", f"0x{uid[1:7]}")
        write(store / "wwn/vpd_unit_serial", uid[7:])
        write(store / "udev_path", device)
        write(store / "enable", 1)
        optimized = {group.node: group.optimized for group in self._groups}
        for number, node in enumerate(optimized, start=1):
            alua = store / "alua" / f"node{node}"
            alua.mkdir(exist_ok=True)
            write(alua / "tg_pt_gp_id", number)
            write(alua / "alua_access_state", OPTIMIZED if optimized[node] else NON_OPTIMIZED)
            write(alua / "alua_access_type", IMPLICIT)

    def _index(self, uid: str) -> int | None:
        for group in self._groups:
            for lun in group.luns():
                if (lun / uid).is_symlink():
                    return int(lun.name.removeprefix("lun_"))
        return None


def _uid_behind(mapped: Path) -> str | None:
    """Return the UID of the volume that a mapped LUN shows, None when there is no such LUN."""
    if not mapped.is_dir():
        return None
    luns = links(mapped)
    volumes = links(luns[0].resolve()) if luns else []
    return volumes[0].name if volumes else None
