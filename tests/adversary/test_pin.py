"""`instoragectl pin` against simulated arrays, and what the helper then allows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helper import settings
from instorage.wire.fault import Fault
from instorage.wire.values import Iqn, Lun, Portal, VolumeUid, Wwpn
from instorage.wire.verbs import FcPath, IscsiPath
from nodeagent.administration import pin
from simulator.array import Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.subprocess, pytest.mark.root]  # who is not root cannot own helper.conf as root does
ROOT = Path(__file__).parents[2]
PASSWORD = "passw0rd"  # the simulator's
IQN = "iqn.2004-12.com.inspur:mcs.mcs1.node1"
HAND_MADE = """\
# by hand
[helper]
kubelet_roots = /var/lib/kubelet,
   /data/kubelet
allowed_portals = 10.1.1.1:3260
  10.1.1.2:3260
multipath = required
"""


class Node:
    """A configuration with arrays, and `helper.conf`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "etc" / "helper.conf"
        self.file.parent.mkdir()
        (directory / "config").mkdir()
        (directory / "state").mkdir()
        self.arrays: dict[str, Simulator] = {}

    def add(self, name: str, *, volume: bool = True) -> Simulator:
        array = Simulator(Settings(self.directory / name, self.directory / f"{name}.c")).start()
        self.arrays[name] = array
        entries = [
            f"- {{name: {key}, type: AS18000, host: '{one.address}', username: superuser, "
            f"password: {PASSWORD}}}\n"
            for key, one in self.arrays.items()
        ]
        (self.directory / "config" / "instorage.yaml").write_text("storage:\n" + "".join(entries))
        if volume:
            options = json.dumps({"volPoolName": "Pool0", "storageName": name})
            self.run("ext", "create", f"first-{name}", "1", options)
        return array

    def pin(self, *options: str, status: int = 0) -> str:
        return self.run("ctl", "pin", "--file", str(self.file), *options, status=status)

    def run(self, module: str, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", f"nodeagent.administration.{module}", *arguments],
            cwd=ROOT,
            env={
                "INSTORAGE_CONFIG": str(self.directory / "config/instorage.yaml"),
                "STATE_DIRECTORY": str(self.directory / "state"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == status, done.stdout
        assert PASSWORD not in done.stdout
        return done.stdout

    def settings(self, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
        monkeypatch.setattr(settings, "FILES", (str(self.file),))
        return settings.load()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    for array in node.arrays.values():
        array.stop()


def path(portal: str = "10.9.0.1:3260", target: str = IQN) -> IscsiPath:
    return IscsiPath(Portal.parse(portal), Iqn.parse(target), Lun.parse(1))


def test_the_arrays_portals_targets_and_uids_are_allowed_and_no_other(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = node.add("storage-01")
    uid = VolumeUid.parse(array.control.do("volumes")[0]["uid"])
    said = node.pin()
    assert "+allowed_portals = 10.9.0.1:3260 10.9.1.1:3260" in said
    assert node.file.stat().st_mode & 0o777 == 0o644
    pinned = node.settings(monkeypatch)
    pinned.check(uid, (path(),))
    strange = [
        (uid, path(portal="10.9.0.77:3260")),
        (uid, path(portal="10.9.0.1:3261")),
        (uid, path(target=IQN + "9")),
        (VolumeUid.parse("6" + "a" * 31), path()),
    ]
    for asked, way in strange:
        with pytest.raises(Fault, match="instoragectl pin") as refused:
            pinned.check(asked, (path(), way))
        assert refused.value.code == "not-allowed"
    assert f"{node.file} is as it should be" in node.pin()


def test_a_dry_run_writes_nothing_and_other_lines_stay(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.add("storage-01")
    node.file.write_text(HAND_MADE)
    shown = node.pin("--dry-run")
    assert "-allowed_portals = 10.1.1.1:3260" in shown
    assert "-  10.1.1.2:3260" in shown
    assert node.file.read_text() == HAND_MADE
    node.pin()
    text = node.file.read_text()
    assert text.startswith("# by hand\n[helper]\nallowed_portals = 10.9.0.1:3260")
    assert "10.1.1" not in text
    pinned = node.settings(monkeypatch)
    assert pinned.roots == ("/var/lib/kubelet", "/data/kubelet")
    assert pinned.multipath == "required"


def test_an_address_that_the_other_node_has_taken_over_is_pinned_once(node: Node) -> None:
    array = node.add("storage-01")
    array.control.do("dialect", failover_address="true")
    assert "10.9.0.1:3260 10.9.1.1:3260" in node.pin()


def test_uids_are_not_pinned_while_an_array_has_no_volume(node: Node) -> None:
    node.add("storage-01")
    node.add("storage-02", volume=False)
    assert "Array storage-02 has no volume yet" in node.pin()
    assert "allowed_uid_prefixes" not in node.file.read_text()


def test_while_a_site_is_lost_its_portals_are_not_shut_out(node: Node) -> None:
    array = node.add("storage-01")
    node.pin()
    before = node.file.read_text()
    array.control.do("site", site=1, up=False)
    said = node.pin(status=1)
    assert "Node node1, node2 of array storage-01 is not online" in said
    assert node.file.read_text() == before
    array.control.do("site", site=1, up=True)
    assert "as it should be" in node.pin()


def test_an_array_out_of_reach_changes_nothing(node: Node) -> None:
    node.add("storage-01")
    node.pin()
    before = node.file.read_text()
    node.add("storage-02").stop()
    del node.arrays["storage-02"]
    assert "storage-02" in node.pin(status=1)
    assert node.file.read_text() == before


def test_a_directory_that_others_can_change_gets_no_file(node: Node) -> None:
    node.add("storage-01")
    node.file.parent.chmod(0o777)
    assert "changed by" in node.pin(status=1)
    assert not node.file.exists()
    node.file.parent.chmod(0o755)
    os.chown(node.file.parent, 12345, 0)
    assert "run this as root" in node.pin(status=1)


def test_fibre_channel_ports_are_pinned_by_name_and_a_strange_one_is_refused(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = node.add("storage-01")
    uid = VolumeUid.parse(array.control.do("volumes")[0]["uid"])
    node.pin()
    pinned = node.settings(monkeypatch)
    (first, *_) = (name for name in pinned.targets if Wwpn.pattern.fullmatch(name))
    pinned.check(uid, (FcPath(Wwpn.parse(first), Lun.parse(1)), path()))
    with pytest.raises(Fault, match=r"5006016012345678 is not pinned .*instoragectl pin") as refused:
        pinned.check(uid, (FcPath(Wwpn.parse("5006016012345678"), Lun.parse(1)),))
    assert refused.value.code == "not-allowed"


def test_an_array_over_fibre_channel_alone_opens_no_portal() -> None:
    said = {"portals": [], "targets": [], "wwpns": ["5005076801100001"], "prefixes": ["6005076000355600"]}
    keys = pin.gathered({"storage-01": said}).keys()
    assert (keys["allowed_portals"], keys["allowed_targets"]) == ("none", "5005076801100001")
    with pytest.raises(Fault, match="no Fibre Channel port"):
        pin.gathered({"storage-01": said | {"wwpns": []}})
