"""The data plane of the kernel's LIO target, through plain configfs.

One IQN with one portal group and one portal for each node; a volume is an iblock backstore over a loop
device over a sparse file, a LUN of every portal group under the same index, and shown to an initiator by a
mapped LUN of its node ACL. No rtslib: it lacks company_id and the truth about sessions. Vendor, product and
the NAA 6 identifier of page 0x83 are the array's; the ALUA groups are implicit only, as arrays do. The guest
side: standard library only. Source: lab notes, section 3 and part D.
"""

import os
from contextlib import suppress
from pathlib import Path

from simulator.dataplane import loop
from simulator.dataplane.configfs import CONFIGFS, links, load, remove_with_links, told, write
from simulator.dataplane.plane import DataPlaneError, Inventory, Lun, Target

MODULES = ("loop", "target_core_mod", "target_core_iblock", "iscsi_target_mod")
NOPIN_SECONDS = 5  # a dead initiator is seen as gone after about 6.5 s
OPTIMIZED, NON_OPTIMIZED, IMPLICIT = 0, 1, 1


class LioDataPlane:
    """Exports the volumes of one array on this machine; `backing` holds their files."""

    def __init__(self, backing: Path, configfs: Path = CONFIGFS) -> None:
        self._backing = backing
        self._configfs = configfs
        self._root = configfs / "target"
        self._targets: list[Target] = []

    def open(self, targets: list[Target]) -> None:
        """See DataPlane."""
        with told():
            self._load()
            self._backing.mkdir(parents=True, exist_ok=True)
            for target in targets:
                group = self._group(target)
                (group / "np" / target.portal).mkdir(parents=True, exist_ok=True)
                write(group / "attrib/authentication", 0)
                write(group / "attrib/generate_node_acls", 0)
                write(group / "enable", 1)
            self._targets = targets

    def admit(self, iqn: str) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups():
                acl = group / "acls" / iqn
                if not acl.is_dir():
                    acl.mkdir()
                    write(acl / "attrib/nopin_timeout", NOPIN_SECONDS)
                    write(acl / "attrib/nopin_response_timeout", NOPIN_SECONDS)

    def expel(self, iqn: str) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups():
                acl = group / "acls" / iqn
                if acl.is_dir():
                    for mapped in acl.glob("lun_*"):
                        remove_with_links(mapped)
                    acl.rmdir()

    def map(self, uid: str, size: int, iqn: str, lun: int) -> None:
        """See DataPlane."""
        self.admit(iqn)
        with told():
            index = self._export(uid, size)
            for group in self._groups():
                mapped = group / "acls" / iqn / f"lun_{lun}"
                shown = _uid_behind(mapped)
                if shown not in (None, uid):
                    raise DataPlaneError(f"LUN {lun} of {iqn} shows {shown}")
                if shown is None:
                    mapped.mkdir(exist_ok=True)
                    (mapped / "volume").symlink_to(group / f"lun/lun_{index}")

    def unmap(self, iqn: str, lun: int) -> None:
        """See DataPlane."""
        with told():
            for group in self._groups():
                remove_with_links(group / "acls" / iqn / f"lun_{lun}")

    def delete(self, uid: str) -> None:
        """See DataPlane."""
        if any(lun.uid == uid for lun in self.inventory().luns):
            raise DataPlaneError(f"{uid} is mapped")
        with told():
            index = self._index(uid)
            for group in self._groups() if index is not None else []:
                remove_with_links(group / f"lun/lun_{index}")
            store = self._store(uid)
            if store.is_dir():
                for target in self._targets:
                    with suppress(FileNotFoundError):
                        (store / "alua" / f"node{target.node}").rmdir()
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
        nodes: dict[str, list[int]] = {}
        with told():
            for target in self._targets:
                for acl in (self._group(target) / "acls").iterdir():
                    # "No active iSCSI Session..." otherwise; lab notes, part D.
                    if (acl / "info").read_text().startswith("InitiatorName"):
                        nodes.setdefault(acl.name, []).append(target.node)
        return nodes

    def portal(self, node: int, *, up: bool) -> None:
        """See DataPlane."""
        with told():
            for target in self._targets:
                if target.node == node:
                    write(self._group(target) / "enable", int(up))

    def drop(self, iqn: str) -> None:
        """See DataPlane: a changed queue depth makes LIO end the initiator's sessions at once."""
        with told():
            for group in self._groups():
                depth = group / "acls" / iqn / "cmdsn_depth"
                if depth.exists():
                    write(depth, int(depth.read_text()) ^ 1)

    def inventory(self) -> Inventory:
        """See DataPlane."""
        with told():
            volumes = {file.stem: file.stat().st_size for file in self._backing.glob("*.img")}
            acls = {acl.name: acl for group in self._groups() for acl in (group / "acls").iterdir()}
            luns = {
                Lun(acl.name, int(mapped.name.removeprefix("lun_")), _uid_behind(mapped) or "")
                for group in self._groups()
                for acl in (group / "acls").iterdir()
                for mapped in acl.glob("lun_*")
            }
        return Inventory(volumes, sorted(acls), sorted(luns, key=lambda lun: (lun.iqn, lun.lun)))

    def _load(self) -> None:
        if not self._root.is_dir():
            load(self._configfs, MODULES)
        for part in ("iscsi", "core/iblock_0"):
            (self._root / part).mkdir(parents=True, exist_ok=True)

    def _group(self, target: Target) -> Path:
        return self._root / "iscsi" / target.iqn / "tpgt_1"

    def _groups(self) -> list[Path]:
        return [self._group(target) for target in self._targets]

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
            taken = {lun.name for group in self._groups() for lun in (group / "lun").iterdir()}
            index = next(i for i in range(len(taken) + 1) if f"lun_{i}" not in taken)
        for target in self._targets:
            lun = self._group(target) / "lun" / f"lun_{index}"
            if not lun.is_dir() or not links(lun):
                lun.mkdir(exist_ok=True)
                (lun / uid).symlink_to(self._store(uid))
                write(lun / "alua_tg_pt_gp", f"node{target.node}")
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
        for number, target in enumerate(self._targets, start=1):
            alua = store / "alua" / f"node{target.node}"
            alua.mkdir(exist_ok=True)
            write(alua / "tg_pt_gp_id", number)
            write(alua / "alua_access_state", OPTIMIZED if target.optimized else NON_OPTIMIZED)
            write(alua / "alua_access_type", IMPLICIT)

    def _index(self, uid: str) -> int | None:
        for group in self._groups():
            for lun in (group / "lun").iterdir():
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
