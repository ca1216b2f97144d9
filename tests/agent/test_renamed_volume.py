"""A volume that is renamed on the array stays whose it is: taken down by its UID, and else said."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.agent.bench import GIB, NODE, Bench, device_target, options, until
from tests.agent.reconciling import node, vendors
from tests.agent.tenants import TEAM, Tenants, tenants, unattached
from tests.arrays.administrator import order

if TYPE_CHECKING:
    import pytest

__all__ = ["node", "tenants", "unattached"]
BACK = 'chvdisk -name vol1 "keep this"'


def rename(bench: Bench, name: str = "keep this", before: str = "vol1") -> None:
    order(bench.simulator, f'chvdisk -name "{name}" "{before}"')


def said(uid: str) -> str:
    """The options of a PV that the provisioner made, on a node without host.volumeKey."""
    return options("vol1", volumeUid=uid, storageName="storage-01", claimNamespace=TEAM, signature="x")


def test_it_is_not_attached_and_nobody_is_told_to_make_a_new_one(bench: Bench) -> None:
    uid = bench.create("vol1")
    rename(bench)
    message = bench.attach("vol1", said(uid)).failure("Volume vol1 is called «keep this» on array storage-01")
    assert BACK in message
    assert "create" not in message
    assert bench.maps("keep this") == []
    rename(bench, "vol1", "keep this")
    bench.attach("vol1", said(uid)).success()


def test_what_is_in_use_is_taken_down_and_unmapped_under_whatever_name(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    rename(bench)
    assert bench.maps("keep this") == ["iscsi-node1"]
    bench.call("unmountdevice", device_target("vol1")).success()
    assert (bench.maps("keep this"), bench.records(), bench.helper.devices) == ([], {}, {})
    bench.create("vol2")
    bench.attach("vol2").success()
    (mapping,) = next(row["maps"] for row in bench.do("volumes") if row["name"] == "vol2")
    assert mapping["lun"] == 1, "the number that was freed rests"


def test_what_is_renamed_between_the_look_at_the_array_and_the_unmapping_is_unmapped(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    gate = threading.Event()
    script = bench.helper.script("Detach", gate=gate)
    call = bench.begin("unmountdevice", device_target("vol1"))
    assert script.reached.wait(10)
    rename(bench)
    gate.set()
    call.reply().success()
    assert (bench.maps("keep this"), bench.records()) == ([], {})


def test_the_vendors_volume_that_was_renamed_stays_mounted_and_is_said(node: Bench) -> None:
    vendors(node)
    rename(node)
    assert BACK in node.call("unmountdevice", device_target("vol1")).failure("calls it «keep this»")
    assert node.helper.mounts
    rename(node, "vol1", "keep this")
    node.call("unmountdevice", device_target("vol1")).success()
    assert node.maps("vol1") == []


def test_a_volume_that_gets_the_name_before_the_mapping_is_not_left_mapped(bench: Bench) -> None:
    bench.create("vol1")
    other = bench.create("vol2")
    bench.do("fault", command="mkvdiskhostmap", delay=1.0)
    call = bench.begin("waitforattach", NODE, options("vol1"))
    until(lambda: "lsvdisk" in bench.commands() and bench.do("counters")["running"]["now"] == 1)
    until(lambda: any("mapping the volume" in line for line in call.progress))
    rename(bench)
    rename(bench, "vol1", "vol2")
    assert other in call.reply().failure("its name was given to another volume just now")
    assert (bench.maps("vol1"), bench.maps("keep this"), bench.records()) == ([], [], {})
    assert "Attach" not in bench.helper.verbs()


def test_what_is_in_use_neither_grows_nor_is_attached_anew_before_it_has_its_name_back(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.use("vol1")
    rename(bench)
    assert BACK in bench.expandfs("vol1", 2 * GIB).failure("was renamed there")
    assert BACK in bench.attach("vol1").failure("was renamed there")
    assert bench.size(uid) == GIB
    assert bench.maps("keep this") == ["iscsi-node1"]
    rename(bench, "vol1", "keep this")
    bench.expandfs("vol1", 2 * GIB).success()
    assert bench.size(uid) == 2 * GIB


def test_another_volume_of_its_name_is_not_grown_in_its_place(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.use("vol1")
    rename(bench)
    other = bench.create("vol1")
    bench.expandfs("vol1", 2 * GIB).failure("was not attached by this agent")
    assert (bench.size(uid), bench.size(other)) == (GIB, GIB)
    bench.call("unmountdevice", device_target("vol1")).failure()
    assert bench.maps("vol1") == []


def test_an_agent_that_starts_says_what_it_is_called_now_and_not_to_unmap_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.create("vol1")
    bench.use("vol1")
    rename(bench)
    caplog.clear()
    bench.restart()
    until(lambda: "is called «keep this»" in caplog.text)
    assert BACK in caplog.text
    assert "unmap it by hand" not in caplog.text
    assert "was unmapped from outside" not in caplog.text


def test_with_keys_only_a_true_signature_tells_what_a_volume_is_called(tenants: Tenants) -> None:
    tenants.require(tenants.key, more='  directNames: ["free*"]\n')
    grant = tenants.grant()
    order(tenants.bench.simulator, f"chvdisk -name secret {grant.volume}")
    signed = tenants.options(tenants.signed(grant))
    assert "«secret»" in tenants.bench.attach(grant.volume, signed).failure("was renamed there")
    forged = tenants.options(tenants.signed(grant), name="free1")
    assert "secret" not in tenants.bench.attach("free1", forged).failure("has no volume free1")


def test_a_volume_that_is_gone_is_said_to_be_gone(bench: Bench) -> None:
    uid = bench.create("vol1")
    order(bench.simulator, "rmvdisk vol1")
    bench.attach("vol1", said(uid)).failure("Array storage-01 has no volume vol1")
