"""What sysfs, /dev and multipath's WWIDs show of sessions, disks and maps, in a directory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helper import iscsi, scsi

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
TARGET = "iqn.2004-12.com.inspur:mcs.node1"


def page(uid: str) -> bytes:
    """Return a page 0x83 with an NAA identifier, as `vpd_pg83` of sysfs has it."""
    body = bytes((1, 3, 0, 16)) + bytes.fromhex(uid) if len(uid) == 32 else b""
    return bytes((0, 0x83)) + len(body).to_bytes(2, "big") + body


@dataclass
class Sysfs:
    """Everything is below `root`."""

    root: Path

    def __post_init__(self) -> None:
        classes = [f"sys/class/{name}" for name in ("iscsi_session", "iscsi_connection", "scsi_host")]
        for name in ("sys/block", "sys/bus/scsi/devices", "dev/mapper", "page83", *classes):
            (self.root / name).mkdir(parents=True)
        (self.root / "wwids").write_text("")
        self._numbers = itertools.count(1)

    def session(self, number: int, portal: str, target: str = TARGET) -> None:
        """Log in: SCSI host `number`, target id 0."""
        address, _, port = portal.rpartition(":")
        at = self.root / f"sys/devices/host{number}/session{number}/iscsi_session/session{number}"
        self._write(at, state="LOGGED_IN", targetname=target, target_id="0")
        (self.root / f"sys/class/iscsi_session/session{number}").symlink_to(at)
        peer = self.root / f"sys/class/iscsi_connection/connection{number}:0"
        self._write(peer, persistent_address=address, persistent_port=port)
        self._write(self.root / f"sys/class/scsi_host/host{number}", scan="")

    def used(self, number: int) -> None:
        """A volume was attached through a session."""
        (session,) = (one for one in scsi.sessions(all_states=True) if one.sid == str(number))
        iscsi.note_use(session)

    def adapter(self, host: int, wwpn: str) -> None:
        """A Fibre Channel port of this machine."""
        self._write(self.root / f"sys/class/fc_host/host{host}", port_name=f"0x{wwpn}\n")
        self._write(self.root / f"sys/class/scsi_host/host{host}", scan="")

    def remote_port(
        self,
        host: int,
        number: int,
        wwpn: str,
        *,
        target_id: int | None = None,
        state: str = "Online",
        roles: str = "FCP Target, FCP Initiator",
    ) -> None:
        """A port that an adapter knows in its fabric; its target id is its number unless said otherwise."""
        at = self.root / f"sys/class/fc_remote_ports/rport-{host}:0-{number}"
        facts = {"port_name": f"0x{wwpn}", "port_state": state, "roles": roles}
        facts["scsi_target_id"] = str(number if target_id is None else target_id)
        self._write(at, **{name: f"{text}\n" for name, text in facts.items()})

    def disk(
        self,
        name: str,
        hctl: str,
        uid: str,
        size: int = GIB,
        *,
        says: str | None = None,
        maker: str = f"{scsi.VENDOR} {scsi.PRODUCT}",
    ) -> None:
        """A disk that the kernel has found; `says` is what page 0x83 gives now."""
        device = self.root / f"sys/bus/scsi/devices/{hctl}"
        vendor, _, model = maker.partition(" ")
        self._write(device, state="running", vendor=vendor, model=model, delete="", rescan="")
        (device / "vpd_pg83").write_bytes(page(uid))
        (device / "block" / name).mkdir(parents=True)
        block = self.root / f"sys/block/{name}"
        self._write(block, dev=f"8:{next(self._numbers)}", size=str(size // 512))
        (block / "holders").mkdir()
        (block / "device").symlink_to(device)
        (self.root / "page83" / name).write_text(uid if says is None else says)
        (self.root / "dev" / name).write_bytes(bytes(4096))

    def map(self, uid: str, *disks: str, size: int = GIB) -> str:
        """A map that multipathd has made."""
        name = f"dm-{next(self._numbers)}"
        at = self.root / f"sys/block/{name}"
        self._write(at, dev=f"253:{name[3:]}", size=str(size // 512))
        self._write(at / "dm", uuid=f"mpath-3{uid}", name=f"3{uid}")
        (at / "holders").mkdir()
        (at / "slaves").mkdir()
        for disk in disks:
            (at / "slaves" / disk).touch()
            (self.root / f"sys/block/{disk}/holders/{name}").touch()
        (self.root / "dev" / name).write_bytes(bytes(4096))
        (self.root / "wwids").write_text(f"/3{uid}/\n")
        return name

    def mapped(self) -> list[str]:
        """The volumes that have a map, by UID."""
        return [path.read_text()[7:] for path in (self.root / "sys/block").glob("dm-*/dm/uuid")]

    def into_map(self, disk: str) -> None:
        """A path of a volume that has a map goes into that one, as multipathd has it."""
        page = self.root / f"sys/block/{disk}/device/vpd_pg83"
        for uuid in (self.root / "sys/block").glob("dm-*/dm/uuid"):
            if page.exists() and scsi.naa6(page.read_bytes()) == uuid.read_text()[7:]:
                (uuid.parents[1] / "slaves" / disk).touch()
                (self.root / f"sys/block/{disk}/holders/{uuid.parents[1].name}").touch()

    def disks(self) -> list[scsi.Disk]:
        """The SCSI disks with their facts, as the helper reads each."""
        return [one for name, _ in scsi.disks() if (one := scsi.disk(name))]

    def names(self) -> list[str]:
        """The block devices that are there."""
        return sorted(path.name for path in (self.root / "sys/block").iterdir())

    def _write(self, folder: Path, **attributes: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in attributes.items():
            (folder / name).write_text(value)
