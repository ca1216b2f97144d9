"""What is said of volumes and disks while an array is not configured, does not answer, or is another one."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.administration.doctor import removal
from nodeagent.administration.doctor.examination import examine
from nodeagent.administration.doctor.host import ArrayEntry, Host, Setup
from nodeagent.administration.doctor.looks import Looks
from nodeagent.diagnosis.finding import Severity
from tests.ctl.test_paths import PORTALS, SETUP, UID, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nodeagent.diagnosis.finding import Finding

POD = "431a7251-1df7-43a7-b81a-9e1d775a898e"
PLACE = f"/var/lib/kubelet/pods/{POD}/volumes/inspur~instorage-flexvolume/vol1"
MOUNT = {"target": PLACE, "fs_type": "ext4", "read_only": False, "trouble": ""}
DEVICE = MOUNT | {
    "target": "/var/lib/kubelet/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/vol1"
}
USED = [DEVICE, MOUNT]
ANOTHER = {"targets": [], "hosts": [], "mappings": [], "certain": True, "seconds": 0.1}
LOOK = "see who uses it, before anything of it is taken away: lsblk /dev/sda /dev/sdb"


class There(Seen):
    """A node whose kernel says where its paths lead; `setup` is its configuration."""

    def __init__(self) -> None:
        super().__init__()
        self.setup = SETUP
        self.others: dict[str, Any] = {}
        self.open: list[dict[str, Any]] = []
        for path, portal in zip(self.paths, PORTALS, strict=True):
            path["target"] = f"iqn.a:{portal}"

    def kept(self) -> dict[str, Any]:
        found = super().kept() | {f"holders {UID}": {"is": self.open}}
        known = {one.name for one in self.setup.arrays}
        for turn in (1, 2):
            answers = {"storage-01": self.array, **self.others}
            found[f"arrays {turn}"] = {"is": {name: said for name, said in answers.items() if name in known}}
        return found

    def findings(self, check: str = "volumes") -> list[Finding]:
        return list(examine(Host(Looks(kept=self.kept()), self.setup), (check,), 50).findings)

    def configured(self, *names: str) -> Setup:
        arrays = tuple(ArrayEntry(name, "10.1.0.9", 22) for name in names)
        return dataclasses.replace(SETUP, arrays=arrays)

    def left(self) -> None:
        """Have no record and no mapping of the volume."""
        self.record, self.array["mappings"] = {}, []


@pytest.fixture
def there() -> There:
    return There()


def removals(found: list[Finding]) -> Iterator[str]:
    return (one.command for one in found if "multipath -f" in one.command or "delete" in one.command)


def test_a_typo_in_the_configuration_calls_no_volume_unmapped_and_no_disk_a_leftover(there: There) -> None:
    there.kernel["mounts"] = USED
    there.setup = dataclasses.replace(SETUP, arrays=(), fault="It cannot be read.")
    assert there.findings() == []
    there.record, there.kernel["mounts"] = {}, []
    assert there.findings() == []


def test_an_array_that_was_taken_out_of_the_configuration_is_named_and_no_pod_deleted(there: There) -> None:
    there.kernel["mounts"] = USED
    there.setup, there.others = there.configured("hall-2"), {"hall-2": ANOTHER}
    found = there.only()
    assert (found.code, found.severity) == ("array-not-configured", Severity.WARNING)
    assert "storage-01" in found.sentence
    assert "/plugin/config/instorage.yaml" in found.command


def test_a_name_that_was_given_to_another_array_is_no_unmapping(there: There) -> None:
    there.kernel["mounts"], there.array["mappings"] = USED, []
    for path in there.paths:
        path["target"] = "iqn.of:another"
    assert there.only().code == "array-not-configured"


def test_a_boot_disk_of_an_array_that_is_not_configured_is_looked_at_and_not_removed(there: There) -> None:
    there.left()
    for path in there.paths:
        path["target"] = "iqn.of:another"
    found = there.only()
    assert (found.code, found.severity, found.command) == ("leftover", Severity.WARNING, LOOK)
    assert "or its array is not configured" in found.cause
    there.kernel["mounts"] = [MOUNT | {"target": "/"}]
    assert (there.only().severity, there.only().command) == (Severity.WARNING, LOOK)


def test_while_one_array_is_silent_no_disk_is_a_leftover(there: There) -> None:
    there.left()
    there.setup = there.configured("storage-01", "hall-2")
    fault = {"code": "array-unreachable", "sentence": "It is away.", "fields": {}}
    there.others = {"hall-2": {"hosts": [], "mappings": [], "fault": fault}}
    assert there.findings() == []
    there.others = {}
    assert there.findings() == []  # nor while one was not asked
    there.others = {"hall-2": ANOTHER}
    assert [one.code for one in there.findings()] == ["leftover"]


def test_the_disks_of_a_volume_that_nobody_uses_get_the_command_that_removes_them(there: There) -> None:
    there.left()
    assert there.only().command == removal.command(UID)


@pytest.mark.parametrize(
    "why", ["holders", "open", "mounts", "no map", "fibre channel", "not root", "strange"]
)
def test_disks_that_something_may_use_are_never_removed(there: There, why: str) -> None:
    there.left()
    if why == "holders":
        there.kernel["holders"] = ["dm-9 (vg-data)"]
    elif why == "open":
        there.open = [{"pid": 7, "name": "qemu", "how": "has it open", "namespace": "1", "pod": ""}]
    elif why == "mounts":
        there.kernel["mounts"] = [MOUNT | {"target": "/data"}]
    elif why == "no map":
        there.kernel["multipath"] = False
    elif why == "fibre channel":
        for path in there.paths:
            path["portal"] = None
    elif why == "strange":
        there.paths[1]["target"] = "iqn.of:another"
    kept = there.kept() | ({"whole": {"is": False}} if why == "not root" else {})
    found = list(examine(Host(Looks(kept=kept), SETUP), ("volumes",), 50).findings)
    assert "leftover" in [one.code for one in found]
    assert list(removals(found)) == []


def test_a_record_that_says_nothing_is_no_disk_without_an_owner(there: There) -> None:
    there.left()
    kept = there.kept()
    for turn in (1, 2, 3, 4):
        kept[f"records {turn}"] = {"is": {UID: "{}"}}
    found = examine(Host(Looks(kept=kept), SETUP), ("volumes",), 50).findings
    assert [one.code for one in found] == ["record-unreadable"]


@pytest.mark.parametrize("why", ["here", "another machine's"])
def test_a_mapping_that_something_may_use_is_not_taken_away(there: There, why: str) -> None:
    there.record = {}
    there.array["hosts"][0]["own"] = why == "here"
    if why != "here":
        there.kernel = {**there.kernel, "paths": [], "device": "", "multipath": False}
    found = there.only()
    assert found.code == "mapped-unrecorded"
    assert "rmvdiskhostmap" not in found.command


@pytest.mark.subprocess
@pytest.mark.parametrize("used", [True, False])
def test_the_removal_ends_where_the_map_is_used_and_takes_disks_of_that_volume_alone(
    tmp_path: Path, *, used: bool
) -> None:
    """The command itself, in a shell, on a copy of sysfs; `multipath` refuses as it does of a map in use."""
    for name, wwid in (("sda", f"naa.{UID}"), ("sdb", f"naa.{UID[:-1]}2"), ("sdc", f"naa.{UID}")):
        (tmp_path / f"block/{name}/device").mkdir(parents=True)
        (tmp_path / f"block/{name}/device/wwid").write_text(f"{wwid}\n")
    tool = tmp_path / "multipath"
    tool.write_text(f'#!/bin/sh\n[ "$*" = "-f 3{UID}" ] || exit 2\nexit {int(used)}\n')
    tool.chmod(0o755)
    command = removal.command(UID).replace("/sys/block", f"{tmp_path}/block")
    done = subprocess.run(
        ["sh", "-c", command], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False, timeout=30
    )
    gone = {path.parents[1].name for path in tmp_path.glob("block/*/device/delete")}
    assert (done.returncode, gone) == ((1, set()) if used else (0, {"sda", "sdc"}))


def test_what_a_renamed_host_object_has_is_mapped(there: There) -> None:
    there.kernel["mounts"] = USED
    renamed = there.array["mappings"][0] | {"host": "rack7-node1"}
    there.array |= {"hosts": [], "mappings": [], "held": [renamed], "certain": True}
    there.array["holder"] = {"name": "rack7-node1", "ports": []}
    assert there.findings() == []


def test_an_object_of_the_record_that_was_not_asked_leaves_its_volume_unjudged(there: There) -> None:
    there.kernel["mounts"], there.array["mappings"] = USED, []
    there.record["host"] = "zoned-by-hand"
    assert there.findings() == []


def test_a_session_whose_adapter_the_kernel_does_not_name_gets_the_command_that_shows_it(
    there: There,
) -> None:
    del there.paths[1]
    kept = there.kept() | {"target /sys/class/iscsi_session/session2": {"errno": 2}}
    (found,) = examine(Host(Looks(kept=kept), SETUP), ("volumes",), 50).findings
    assert (found.code, found.command) == ("path-missing", "iscsiadm -m session -P 3")
