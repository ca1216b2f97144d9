"""The root helper with a real kernel, iscsid, multipathd and SAN, as the agent sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.helper_rig import AS_AGENT, DEVICE_MOUNTS, GIB, HelperFault, Rig, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab
PROGRAM = "/usr/libexec/instorage/instorage-helper"


def test_a_volume_goes_through_its_life_and_every_step_may_be_repeated(rig: Rig, volume: Volume) -> None:
    link = f"/dev/disk/by-id/dm-uuid-mpath-3{volume.uid}"
    for _ in "12":
        attached = rig.attach(volume)
        assert (attached["device"], attached["multipath"]) == (link, True)
        assert (len(attached["found"]), attached["refused"]) == (rig.path_count, [])
    formatted = [rig.mount(volume) for _ in "12"]
    assert [(one["formatted"], one["already"]) for one in formatted] == [(True, False), (False, True)]
    assert [rig.bind(volume)["already"] for _ in "12"] == [False, True]
    rig.sh(f"echo kept > {volume.pod_directory}/file")
    options = rig.sh(f"findmnt -no OPTIONS {volume.pod_directory}").split(",")
    assert {"rw", "nosuid", "nodev"} <= set(options)
    assert [rig.unmount(volume.pod_directory) for _ in "12"] == [volume.uid, None]
    assert [rig.unmount(volume.device_mount) for _ in "12"] == [volume.uid, None]
    assert [len(rig.detach(volume)) for _ in "12"] == [rig.path_count + 1, 0]
    rig.assert_clean()
    rig.attach(volume)
    assert rig.mount(volume)["formatted"] is False
    assert rig.sh(f"cat {volume.device_mount}/file") == "kept"
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_xfs_is_made_mounted_and_found_again(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    assert rig.mount(volume, fs_type="xfs")["formatted"] is True
    rig.sh(f"echo kept > {volume.device_mount}/file")
    rig.unmount(volume.device_mount)
    assert rig.mount(volume, fs_type="xfs")["formatted"] is False
    assert rig.sh(f"cat {volume.device_mount}/file; findmnt -no FSTYPE {volume.device_mount}") == "kept\nxfs"
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_a_file_system_of_another_type_is_refused_and_untouched(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.unmount(volume.device_mount)
    before = rig.sh(f"blkid -p -s UUID -o value {rig.device(volume)}")
    with pytest.raises(HelperFault, match="ext4 was found") as refused:
        rig.mount(volume, fs_type="xfs")
    assert refused.value.code == "not-empty"
    assert rig.sh(f"blkid -p -s UUID -o value {rig.device(volume)}") == before
    rig.detach(volume)


def test_data_without_a_signature_are_not_formatted_wherever_they_are(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    device = rig.device(volume)
    for offset in (0, 4096 * 7, GIB - 8192, 128 << 20, GIB // 2 + 1000, GIB * 20 // 257):
        write = f"dd of={device} bs=1 seek={offset} conv=notrunc,nocreat,fsync status=none"
        rig.sh(f"printf precious | {write}")
        with pytest.raises(HelperFault, match=f"data .at byte {offset}\\)") as refused:
            rig.mount(volume)
        assert refused.value.code == "not-empty"
        assert rig.sh(f"dd if={device} bs=1 skip={offset} count=8 status=none") == "precious"
        rig.sh(f"head -c 8 /dev/zero | {write}")
    assert rig.mount(volume)["formatted"] is True
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_the_array_can_forbid_a_format_and_a_read_only_request_never_formats(
    rig: Rig, volume: Volume
) -> None:
    rig.attach(volume)
    with pytest.raises(HelperFault, match="does not vouch") as refused:
        rig.mount(volume, may_format=False)
    assert refused.value.code == "not-empty"
    with pytest.raises(HelperFault, match="first use must be read-write") as refused:
        rig.mount(volume, read_only=True)
    assert refused.value.code == "read-only-first-use"
    rig.detach(volume)


def test_read_only_is_honoured_and_a_pod_cannot_widen_it(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.unmount(volume.device_mount)
    rig.mount(volume, read_only=True)
    with pytest.raises(HelperFault, match="mounted read-only"):
        rig.bind(volume)
    with pytest.raises(HelperFault, match="asked for read-write"):
        rig.mount(volume)
    rig.bind(volume, read_only=True)
    assert "Read-only" in rig.sh(f"touch {volume.pod_directory}/x 2>&1", check=False)
    rig.unmount(volume.pod_directory)
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_a_read_only_bind_of_a_writable_mount_takes_no_writes(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume, options=["noatime"])
    rig.bind(volume, read_only=True)
    assert "Read-only" in rig.sh(f"touch {volume.pod_directory}/x 2>&1", check=False)
    assert "noatime" in rig.sh(f"findmnt -no OPTIONS {volume.pod_directory}")
    rig.sh(f"touch {volume.device_mount}/x")
    rig.unmount(volume.pod_directory)
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_a_foreign_mount_on_the_target_is_left_alone(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.sh(f"mkdir -p {volume.device_mount} && mount -t tmpfs foreign {volume.device_mount}")
    try:
        for verb in (lambda: rig.mount(volume), lambda: rig.unmount(volume.device_mount)):
            with pytest.raises(HelperFault, match=r"foreign .tmpfs") as refused:
                verb()
            assert refused.value.code == "not-ours"
    finally:
        rig.sh(f"umount {volume.device_mount}")
    rig.detach(volume)


def test_a_target_that_is_a_link_is_refused(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.sh(f"ln -s /etc {DEVICE_MOUNTS}/{volume.name}")
    try:
        with pytest.raises(HelperFault, match="is a link"):
            rig.mount(volume)
    finally:
        rig.sh(f"rm {DEVICE_MOUNTS}/{volume.name}")
    rig.detach(volume)


def test_a_broken_off_format_is_repeated_only_with_its_record_and_over_its_superblock(
    rig: Rig, volume: Volume
) -> None:
    rig.attach(volume)
    device, identity = rig.device(volume), "11111111-2222-3333-4444-555555555555"
    rig.sh(f"mkfs.ext4 -q -U {identity} {device}")
    record = json.dumps({"schema": 1, "uid": volume.uid, "size": GIB, "uuid": identity})
    rig.node.put(f"/var/lib/instorage-helper/format/{volume.uid}", record, 0o600)
    assert rig.mount(volume)["formatted"] is True
    assert rig.sh(f"blkid -p -s UUID -o value {device}") == identity
    rig.unmount(volume.device_mount)
    rig.sh(f"dd if=/dev/zero of={device} bs=4k count=1 conv=fsync status=none")
    rig.node.put(f"/var/lib/instorage-helper/format/{volume.uid}", record, 0o600)
    with pytest.raises(HelperFault, match="no known file system"):
        rig.mount(volume)
    rig.sh(f"rm /var/lib/instorage-helper/format/{volume.uid}")
    rig.detach(volume)


def test_a_record_is_no_licence_to_format_what_was_mounted(rig: Rig, volume: Volume) -> None:
    rig.attach(volume)
    rig.mount(volume)
    rig.sh(f"echo kept > {volume.device_mount}/file")
    rig.unmount(volume.device_mount)
    identity = rig.sh(f"blkid -p -s UUID -o value {rig.device(volume)}")
    record = json.dumps({"schema": 1, "uid": volume.uid, "size": GIB, "uuid": identity})
    rig.node.put(f"/var/lib/instorage-helper/format/{volume.uid}", record, 0o600)
    assert rig.mount(volume)["formatted"] is False
    assert rig.sh(f"cat {volume.device_mount}/file") == "kept"
    rig.unmount(volume.device_mount)
    rig.detach(volume)


def test_only_root_and_the_agent_are_served(rig: Rig) -> None:
    (answer,) = rig.calls(("Initiator", {}))
    assert answer[0]["iqn"] == rig.node.role.initiator
    in_group = ("setpriv", "--reuid", "nobody", "--regid", "instorage-agent", "--clear-groups")
    (answer,) = rig.calls(("Initiator", {}), user=in_group)
    assert isinstance(answer, HelperFault)
    outside = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
    with pytest.raises(Exception, match="PermissionError"):
        rig.calls(("Initiator", {}), user=outside)
    assert AS_AGENT[2] == "instorage-agent"


def test_each_verb_writes_one_journal_record_with_its_request_id(rig: Rig) -> None:
    rig.calls(("Unmount", {"target": f"{DEVICE_MOUNTS}/nothing", "op": "audit7"}))
    rig.calls(("Unmount", {"target": "/etc\nINSTORAGE_OP=forged", "op": "audit8"}))
    shown = rig.sh("journalctl -q -o json INSTORAGE_OP=audit7 + INSTORAGE_OP=audit8 + INSTORAGE_OP=forged")
    records = [json.loads(line) for line in shown.splitlines()]
    told = [(one["INSTORAGE_OP"], one["INSTORAGE_VERB"], one["INSTORAGE_CODE"]) for one in records]
    assert told == [("audit7", "Unmount", "ok"), ("audit8", "Unmount", "not-allowed")]
    assert "\n" not in records[1]["MESSAGE"]


@pytest.fixture
def soon_idle(rig: Rig) -> Iterator[None]:
    """A helper that leaves after 5 seconds instead of 20."""
    begin = "from helper.__main__ import main"
    rig.sh(f"cp -a {PROGRAM} {PROGRAM}.kept")
    rig.sh(f"sed -i 's/^{begin}$/import helper.__main__; helper.__main__.IDLE = 5\\n&/' {PROGRAM}")
    rig.sh("systemctl stop instorage-helper.service")
    yield
    rig.sh(f"mv {PROGRAM}.kept {PROGRAM}; systemctl stop instorage-helper.service")


@pytest.mark.usefixtures("soon_idle")
def test_the_helper_leaves_when_idle_and_comes_back_when_called(rig: Rig) -> None:
    rig.calls(("Initiator", {}))
    assert rig.sh("systemctl is-active instorage-helper") == "active"
    state = "systemctl is-active instorage-helper"
    rig.sh(f"for i in $(seq 300); do [ $({state}) = inactive ] && break; sleep 0.1; done")
    assert rig.sh(state, check=False) == "inactive"
    assert rig.sh("systemctl is-active instorage-helper.socket") == "active"
    assert rig.calls(("Initiator", {}))[0][0]["iqn"] == rig.node.role.initiator
