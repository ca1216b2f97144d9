"""A verified volume, a mount of it, and what is found at its target, one look after the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from helper import filesystem, mounts, scsi
from helper import mount as mounting
from helper.mounts import Row
from helper.settings import Settings
from helper.target import Place
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, FsType, RequestId, VolumeUid
from instorage.wire.verbs import MountReply, MountRequest, Multipath
from tests.helper.host import UID, Host
from tests.helper.replacing import replace
from tests.helper.sysfs import GIB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMBER = "0:0"  # what a plain file in the place of a device has

MOUNTED = Row(9, NUMBER, "/", "/x", ["rw"], "ext4", "/dev/x", ["rw"])


class Rig:
    """A verified volume; `rows` are what is found at the target, one look after the other."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host
        self.rows: list[Row | None] = [None, MOUNTED]
        self.settings = Settings(roots=(str(host.root),))
        mounts_folder = host.root / "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts"
        (mounts_folder / "pvc-1").mkdir(parents=True)
        host.disk("sda", "0:0:0:1", UID)
        name = host.map(UID, "sda")
        (host.root / f"sys/block/{name}/dev").write_text(NUMBER)
        self.request = MountRequest(
            RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(GIB), str(mounts_folder / "pvc-1"),
            FsType.parse("ext4"), False, False, Multipath.PREFERRED,
        )  # fmt: skip
        self.prepared = ("ext4", False)
        monkeypatch.setattr(mounting, "prepare", lambda *_: self.prepared)
        monkeypatch.setattr(Place, "row", lambda _: self.rows.pop(0))
        monkeypatch.setattr(filesystem, "opened", lambda *_: os.open("/dev/null", os.O_RDONLY))
        monkeypatch.setattr(scsi, "forbid_writes", lambda device: host.note(f"read-only {device}"))
        monkeypatch.setattr(mounts, "mount", self._mount)
        monkeypatch.setattr(mounts, "unmount", lambda _, target: host.note(f"unmount {target}"))

    def _mount(self, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
        self.host.note(f"mount {kind} {'ro' if flags & mounts.RDONLY else 'rw'} {data}".strip())

    def ask(self, **changed: Any) -> MountReply:
        return mounting.mount(replace(self.request, **changed), self.settings)

    def refused(self, code: Code, **changed: Any) -> str:
        with pytest.raises(Fault) as raised:
            self.ask(**changed)
        assert raised.value.code is code, raised.value
        return raised.value.sentence

    def did(self, *words: str) -> list[str]:
        return [event for event in self.host.events if event.startswith(words)]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    host = Host(tmp_path)
    host.patch(monkeypatch)
    yield Rig(host, monkeypatch)
    host.close()
