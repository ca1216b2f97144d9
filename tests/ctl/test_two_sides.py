"""The comparison of array and node, each disagreement made on one side alone; a healthy node has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from nodeagent.administration.doctor import removal
from tests.agent.bench import device_target, pod_target
from tests.agent.test_renamed_volume import rename

if TYPE_CHECKING:
    from tests.ctl.node import Node

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
SECRET = "passw0rd"  # of the bench's array


def only(node: Node, *arguments: str) -> dict[str, str]:
    (found,) = node.found(*arguments)
    assert all(found[key] for key in ("sentence", "risk", "who", "command", "proof")), found
    return found


def test_a_node_with_volumes_has_no_finding_in_twenty_runs(node: Node) -> None:
    node.in_use("vol1", "vol2")
    for _ in range(20):
        assert node.found() == []
    said = node.ctl("doctor")
    assert said.startswith("Nothing is wrong: 17 checks in ")
    assert SECRET not in said + node.ctl("doctor", "--json")


def test_a_volume_that_was_unmapped_from_outside_is_an_error_with_its_pod(node: Node) -> None:
    node.in_use("vol1", "vol2")
    node.array.unmap_volume(VolumeName("vol1"), "iscsi-node1")
    found = only(node)
    assert (found["code"], found["severity"], found["volume"]) == ("unmapped-outside", "error", "vol1")
    assert "431a7251-1df7-43a7-b81a-9e1d775a898e" in found["command"]
    assert node.codes("--volume", "vol2") == []
    assert "unmapped-outside" in node.codes("--volume", "vol1")


def test_a_stranger_among_the_mappings_is_found_with_the_command(node: Node) -> None:
    node.in_use("vol1")
    node.create("stranger")
    node.map("stranger", "iscsi-node1")
    found = only(node)
    assert (found["code"], found["who"]) == ("mapped-unrecorded", "array")
    assert "mcsop rmvdiskhostmap -host iscsi-node1 stranger" in found["command"]


def test_a_mounted_volume_without_a_record_is_found(node: Node) -> None:
    uid = node.in_use("vol1")["vol1"]
    (node.directory / "state/volumes" / uid).unlink()
    found = only(node)
    assert found["code"] == "mapped-unrecorded"
    assert "restart instorage-nodeagent" in found["command"]


def test_devices_of_a_volume_that_no_array_maps_here_are_found(node: Node) -> None:
    uid = node.in_use("vol1")["vol1"]
    (node.directory / "state/volumes" / uid).unlink()
    node.array.unmap_volume(VolumeName("vol1"), "iscsi-node1")
    node.show_ends(uid)
    found = only(node)
    assert (found["code"], found["severity"], found["who"]) == ("leftover", "error", "kubernetes")
    for target in (pod_target("vol1"), device_target("vol1")):
        del node.helper.mounts[target]
    found = only(node)
    assert (found["code"], found["severity"]) == ("leftover", "warning")
    assert found["command"] == removal.command(uid)


def test_a_record_without_devices_is_found_and_goes_by_itself(node: Node) -> None:
    uid = node.in_use("vol1")["vol1"]
    for target in (pod_target("vol1"), device_target("vol1")):
        del node.helper.mounts[target]
    del node.helper.devices[uid]
    found = only(node)
    assert (found["code"], found["who"]) == ("recorded-without-device", "nobody")


def test_an_attach_that_began_just_now_is_no_finding(node: Node) -> None:
    node.create("vol1")
    node.attach("vol1").success()
    node.helper.devices.clear()
    assert node.found() == []


def test_a_record_that_cannot_be_read_is_found(node: Node) -> None:
    uid = node.in_use("vol1")["vol1"]
    (node.directory / "state/volumes" / uid).write_text("{")
    assert only(node)["code"] == "record-unreadable"


def test_a_renamed_volume_is_found_with_the_command_that_gives_it_its_name_back(node: Node) -> None:
    node.in_use("vol1")
    rename(node, "other")
    found = only(node)
    assert found["code"] == "renamed"
    assert "vol1" in found["command"]


def test_a_stopped_file_system_is_an_error(node: Node) -> None:
    uid = node.in_use("vol1")["vol1"]
    node.helper.trouble[uid] = "its file system was shutdown after errors"
    assert {one["code"] for one in node.found()} == {"mount-trouble"}


def test_a_pods_mount_without_its_device_mount_is_found(node: Node) -> None:
    node.in_use("vol1")
    del node.helper.mounts[device_target("vol1")]
    assert only(node)["code"] == "device-mount-missing"


def test_a_format_that_has_not_ended_is_found(node: Node) -> None:
    uid = node.in_use("vol1")["vol1"]
    node.helper.formatting.add(uid)
    assert only(node)["code"] == "format-unfinished"


def test_paths_without_a_map_are_found(node: Node) -> None:
    node.helper.no_map = True
    node.in_use("vol1")
    assert only(node)["code"] == "no-map"


def test_one_volume_is_compared_closely(node: Node) -> None:
    node.in_use("vol1")
    node.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    node.map("vol1", "iscsi-node2", share=True)
    found = only(node, "--volume", "vol1")
    assert found["code"] == "mapped-elsewhere"
    assert "iscsi-node2" in found["sentence"]
    assert "instoragectl release vol1 --from" in found["command"]
    assert node.codes() == []  # a question of a command a volume
    assert node.codes("--volume", "none") == ["volume-missing"]


def test_large_packets_that_are_lost_on_the_way_are_the_sans(node: Node) -> None:
    node.in_use("vol1")
    node.root.program("ping", 'case "$*" in *-s*) exit 1 ;; esac')
    codes = {(one["code"], one["who"]) for one in node.found()}
    assert codes == {("mtu", "san")}


def test_an_array_that_refuses_the_password_hides_nothing_else(node: Node) -> None:
    uid = node.in_use("vol1")["vol1"]
    node.configure(password="wrong")
    node.helper.trouble[uid] = "its file system was shutdown after errors"
    codes = {one["code"] for one in node.found()}
    assert codes == {"array-authentication", "mount-trouble"}


def test_another_machine_with_this_initiator_name_is_an_error(node: Node) -> None:
    node.make_host("iscsi-clone")
    found = only(node)
    assert found["code"] == "initiator-not-unique"
    assert "iscsi-clone" in found["sentence"]
    assert "iscsi-iname" in found["command"]


def test_a_changed_initiator_name_is_an_error(node: Node) -> None:
    node.in_use("vol1")
    node.root.write("etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1993-08.org.debian:01:new\n")
    assert "host-object-foreign" in node.codes()


def test_volume_protection_is_a_note_and_no_finding(node: Node) -> None:
    node.do("dialect", protection_minutes=15)
    (note,) = node.doctor()["findings"]
    assert (note["code"], note["severity"]) == ("volume-protection", "ok")
    assert "15 minutes" in note["sentence"]


def test_a_helper_that_is_away_is_said_and_the_rest_looked_at(node: Node) -> None:
    node.helper.stop()
    node.root.program("timedatectl", "echo NTPSynchronized=no")
    found = node.found()
    assert [one["check"] for one in found] == ["clock", "volumes"]
    assert "instorage-helper.socket" in found[1]["sentence"]
    node.helper.start()


def test_doctor_changes_nothing(node: Node) -> None:
    node.in_use("vol1")
    before = sorted(path for path in node.directory.rglob("*") if not path.match("array/*"))
    node.reset()
    node.ctl("doctor", "--volume", "vol1")
    assert sorted(path for path in node.directory.rglob("*") if not path.match("array/*")) == before
    assert [name for name in node.commands() if not name.startswith("ls")] == []
    assert set(node.order) == {"Inspect"}


def test_the_exit_status_says_how_bad_it_is(node: Node) -> None:
    node.ctl("doctor", status=0)
    node.root.program("timedatectl", "echo NTPSynchronized=no")
    assert "0 errors, 1 warning: " in node.ctl("doctor", status=1)
    (node.directory / "plugin/instorage-flexvolume").unlink()
    assert "1 error, 1 warning: " in node.ctl("doctor", status=2)
