"""The true helper, its supervisor and workers, on a stand-in of sysfs, SCSI, multipathd and mounts."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from helper import bind, content, device, freeze, growth, iscsi, mount, multipath, scsi, unmount, users
from helper.settings import Settings
from tests.contract.fake_mounts import FakeMounts, mounted, number_of, numbers_of
from tests.contract.kernel_host import BLKID, MKFS, KernelHost
from tests.contract.world import ADAPTERS, GIB, LUNS, NAMES, OTHER, POD, PORTALS, PORTS, SECOND, UID, Caller

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

DRIVER = "inspur~instorage-flexvolume"


class TrueWorld:
    """`linked`: kubelet's directory is a symbolic link to a larger disk."""

    most = 5

    def __init__(
        self,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        start: Callable[..., int],
        socket: Path,
        *,
        linked: bool = False,
    ) -> None:
        (directory / "node").mkdir()  # not «host»: sysfs has that in the paths of sessions
        self._host = host = KernelHost(directory / "node")
        for name in ("sys/dev/block", "dev/disk/by-id", "content"):
            (host.root / name).mkdir(parents=True)
        for name in LUNS:
            (host.root / "content" / name).touch()
        host.patch(monkeypatch)
        self._targets = [(number, 0) for number, _ in enumerate(PORTALS)]  # SCSI host and target id
        self._mounts = FakeMounts(host.root)
        self._mounts.patch(monkeypatch)
        self._kernel(monkeypatch)
        self._patience(monkeypatch)
        self.root = str(directory / "kubelet")
        self._plugin = directory / DRIVER
        if linked:
            (directory / "disk").mkdir()
            (directory / "kubelet").symlink_to(directory / "disk")
        self._folders(directory / "kubelet")
        for number, portal in enumerate(PORTALS):
            host.session(number, portal)
        host.script("blkid", BLKID)
        for kind in ("ext3", "ext4", "xfs"):
            host.script(f"mkfs.{kind}", MKFS.format(kind=kind, broken=host.root / "broken"))
        self._socket = socket
        start(
            configured=Settings(str(self._plugin), (self.root,), str(directory / "none")), workers=self.most
        )

    def _folders(self, kubelet: Path) -> None:
        """What kubelet and the package have made."""
        self._plugin.mkdir()
        (kubelet / f"plugins/kubernetes.io/flexvolume/{DRIVER.replace('~', '/')}/mounts").mkdir(parents=True)
        for pod in (POD, SECOND):
            (kubelet / f"pods/{pod}/volumes/{DRIVER}").mkdir(parents=True)

    def _kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def exclusive(name: str) -> int:
            uid = multipath.uid_of(name) or getattr(scsi.disk(name), "uid", "")
            if scsi.holders(name) or mounted(name):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            if self._mounts.flag("lost", uid).exists():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return os.open(f"{scsi.DEV}/{name}", scsi.OPEN)

        def read(descriptor: int, offset: int, length: int) -> bytes:
            return os.pread(descriptor, length, offset).ljust(length, b"\0")

        def superblock(descriptor: int) -> tuple[str, bool]:
            _, identity, used = (*os.pread(descriptor, 100, 0).decode().split(), "", "", "")[:3]
            return identity, used != "new"

        monkeypatch.setattr(scsi, "exclusive", exclusive)
        monkeypatch.setattr(
            multipath, "open_count", lambda name: int(self._mounts.flag("program", number_of(name)).exists())
        )
        monkeypatch.setattr(content, "opened", lambda path, look: _looked(path, look))
        monkeypatch.setattr(content, "read", read)
        monkeypatch.setattr(content, "cached", read)
        monkeypatch.setattr(content, "superblock", superblock)
        monkeypatch.setattr(iscsi, "NAME_FILE", str(self._host.root / "initiatorname"))
        monkeypatch.setattr("helper.volume.LOCKS", str(self._host.root / "locks"))

    def _patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (bind, mount, unmount):
            monkeypatch.setattr(module, "WAIT", 0.5)
        monkeypatch.setattr(growth, "_LOCK", 0.5)
        monkeypatch.setattr(users, "_LET_GO", 0.2)
        monkeypatch.setattr(mount, "_MAP", 0.3)
        monkeypatch.setattr(unmount, "_ANSWER", 2)
        monkeypatch.setattr(freeze, "ANSWER", 10.0)
        monkeypatch.setattr(content, "_SAMPLES", 8)  # what is read of it is tests/helper's affair
        monkeypatch.setattr(content, "empty_cache", lambda _: None)

    def close(self) -> None:
        self._host.close()

    @property
    def journal(self) -> list[str]:
        """What the helper gave to the journal."""
        return [line.split(" ", 2)[2] for line in self._host.events if line.startswith("journal ")]

    def connect(self) -> Caller:
        return Caller(str(self._socket))

    def initiator(self, name: str | None) -> None:
        (self._host.root / "initiatorname").write_text(f"InitiatorName={name}\n" if name else "")

    def plug(self) -> None:
        for host, wwpn in enumerate(ADAPTERS, len(PORTALS)):
            self._host.adapter(host, wwpn)
            for number, port in enumerate(PORTS):
                self._host.remote_port(host, number, port)
                self._targets.append((host, number))

    def unplug(self, port: str) -> None:
        for host, _ in enumerate(ADAPTERS, len(PORTALS)):
            shutil.rmtree(self._host.root / f"sys/class/fc_remote_ports/rport-{host}:0-{PORTS.index(port)}")

    def show(self, uid: str, size: int = GIB) -> None:
        for host, number in self._targets:
            self._host.luns[host, number, LUNS[uid]] = (uid, size)

    def withdraw(self, uid: str) -> None:
        for host, number in self._targets:
            del self._host.luns[host, number, LUNS[uid]]
        for disk in device.find(uid).disks:
            (self._host.root / "page83" / disk.name).write_text("unmapped")

    def replace(self, uid: str) -> None:
        for host, number in self._targets:
            self._host.luns[host, number, LUNS[uid]] = (OTHER if uid == UID else UID, GIB)
        for disk in device.find(uid).disks:
            (self._host.root / "page83" / disk.name).write_text(OTHER)

    def silence(self, uid: str, path: int) -> None:
        self._host.luns.pop((path, 0, LUNS[uid]))
        for disk in device.find(uid).disks:
            if disk.hctl.startswith(f"{path}:"):
                (self._host.root / "page83" / disk.name).unlink()

    def grow(self, uid: str, size: int) -> None:
        self.show(uid, size)

    def lose_writes(self, uid: str) -> None:
        self._mounts.flag("lost", uid).touch()
        for number in numbers_of(uid):
            self._mounts.flag("lost", number).touch()

    def no_map(self, *, again: bool = False) -> None:
        self._host.idle = not again

    def keep_map_size(self, uid: str) -> None:
        self._host.busy_maps.add(f"3{uid}")

    def holds(self, uid: str, kind: str) -> None:
        said = f"{kind} 11111111-2222-3333-4444-555555555555 used\n" if kind else "data\n"
        (self._host.root / "content" / uid).write_text(said)

    def damage(self, uid: str) -> None:
        self._host.script("fsck.ext4", "exit 4")

    def break_mkfs(self) -> None:
        (self._host.root / "broken").touch()

    def foreign_mount(self, uid: str) -> None:
        self._host.mounted(numbers_of(uid)[0], "/data")

    def mount_by_hand(self, uid: str) -> None:
        self._mounts.add(numbers_of(uid)[0], "/mnt/by-hand")

    def open_by_program(self, uid: str) -> None:
        self._mounts.flag("program", numbers_of(uid)[0]).touch()

    def build_above(self, uid: str) -> None:
        found = device.find(uid).top
        assert found
        at = self._host.root / "sys/block/dm-99"
        self._host._write(at, dev="253:99", size="8")
        self._host._write(at / "dm", uuid="LVM-x", name="vg-data")
        (self._host.root / f"sys/block/{found.name}/holders/dm-99").touch()

    def strange_mount(self, target: str) -> None:
        os.makedirs(target, exist_ok=True)
        self._mounts.add("0:50", target, fs_type="tmpfs")

    def open_files(self, target: str) -> None:
        self._mounts.flag("open", target).touch()

    def stop_file_system(self, uid: str, how: str) -> None:
        found = device.find(uid).top
        assert found
        if how == "errors":
            self._host._write(self._host.root / f"sys/fs/ext4/{found.name}", errors_count="1")
        else:
            self._mounts.stop(found.number, how)

    def freeze_by_hand(self, uid: str) -> None:
        self._frozen(uid).touch()

    def thaw_by_hand(self, uid: str) -> None:
        self._frozen(uid).unlink(missing_ok=True)

    def is_frozen(self, uid: str) -> bool:
        return self._frozen(uid).exists()

    def _frozen(self, uid: str) -> Path:
        return self._mounts.flag("frozen", numbers_of(uid)[0])

    def barrier_text(self) -> str | None:
        path = self._plugin / "aa-extend-failure.barrier"
        return path.read_text() if path.exists() else None

    def spoil_plugin_directory(self) -> None:
        (self._plugin / ".aa-extend-failure.barrier").mkdir()  # where the new file is written


def _looked(path: str, look: Callable[[int], object]) -> object:
    node = os.open(path, os.O_RDWR)
    try:
        return look(node)
    finally:
        os.close(node)


assert set(NAMES) == set(LUNS)
