"""What must hold before an active-active volume is expanded, and the sentence of each refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.active_active import Function
from instorage.arrays.model import Initiator, Provisioning
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn
from tests.arrays.conftest import GIB, spec
from tests.arrays.expanding import AA, Volume, volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.arrays.conftest import Rig

__all__ = ["volume"]
pytestmark = pytest.mark.slow
MIB = 1 << 20


def _refused(volume: Volume, match: str, code: Code = Code.VOLUME_NOT_READY, size: int = 2 * GIB) -> Fault:
    """Nothing was done, nothing is recorded, nothing is frozen."""
    with pytest.raises(Fault, match=match) as caught:
        volume.expand(size)
    assert caught.value.code is code
    assert volume.operations() == []
    assert volume.host.record is None
    assert not volume.host.frozen
    return caught.value


@pytest.mark.parametrize(
    "state", ["consistent_copying", "consistent_stopped", "idling", "inconsistent_copying"]
)
def test_copies_that_are_not_synchronised_are_not_untied(volume: Volume, state: str) -> None:
    volume.rig.do("dialect", copy_seconds=3600)
    volume.rig.do("replication", volume="aa", state=state)
    _refused(volume, f"not synchronised.*is {state}")
    assert volume.host.calls == []


def test_a_relationship_that_runs_from_the_aux_is_not_untied(volume: Volume) -> None:
    volume.rig.do("replication", volume="aa", state="consistent_synchronized", primary="aux")
    _refused(volume, "runs from its aux")


def test_a_link_that_breaks_between_the_first_look_and_the_freeze_is_seen_in_the_freeze(
    volume: Volume,
) -> None:
    freeze = volume.host.freeze

    def broken_link() -> Any:
        volume.rig.do("replication", volume="aa", state="consistent_stopped")
        return freeze()

    volume.host.freeze = broken_link  # type: ignore[method-assign]
    _refused(volume, "not synchronised")
    assert volume.host.calls == ["freeze", "thaw"]


@pytest.mark.parametrize("function", list(Function))
def test_a_vdisk_that_is_not_online_is_named(volume: Volume, function: Function) -> None:
    volume.rig.do("vdisk-status", volume=volume.names[function], status="degraded")
    _refused(volume, f"{volume.names[function]}, its {function}, is not online")


@pytest.mark.parametrize("site", [1, 2])
def test_a_volume_that_has_lost_a_site_is_usable_and_not_untied(volume: Volume, site: int) -> None:
    """Even when its relationship still shows the words of before."""
    volume.rig.do("site", site=site, up=False)
    volume.rig.do("replication", volume="aa", state="consistent_synchronized", primary="master")
    found = volume.array.find_volume(AA)
    assert found is not None
    assert found.online
    assert f"the site of the {'master' if site == 1 else 'aux'} (" in found.degraded
    _refused(volume, "is not online")


def test_a_volume_with_a_snapshot_says_so(volume: Volume) -> None:
    volume.array.create_volume(spec("snap"))
    volume.rig.do("snapshot", volume="aa", target="snap")
    volume.rig.reset()
    _refused(volume, "aa, its master, has snapshots or clones")


def test_a_volume_that_is_mapped_to_another_host_as_well_names_it(volume: Volume) -> None:
    other = Initiator(iqn=Iqn("iqn.1993-08.org.debian:01:other"))
    host = volume.array.ensure_host(other, link="iscsi", names=("iscsi-other",), site="2")
    volume.array.map_volume(AA, host.name, share=True)
    volume.rig.reset()
    _refused(volume, "mapped to iscsi-node1, iscsi-other, and must be mapped to iscsi-node1 alone")
    volume.array.unmap_volume(AA, volume.host_object)
    volume.rig.reset()
    _refused(volume, "mapped to iscsi-other, and")


def test_a_volume_that_is_being_formatted_waits(rig: Rig, tmp_path: Path) -> None:
    rig.do("dialect", format_seconds=3600)
    _refused(Volume(rig, tmp_path, provisioning=Provisioning()), "still being formatted")


def test_four_vdisks_of_different_sizes_are_left_alone(volume: Volume) -> None:
    volume.rig.do("resize", volume=volume.names["aux_change"], size=GIB + 512)
    _refused(volume, "different sizes")


def test_a_volume_that_is_not_active_active_is_no_expansion(volume: Volume) -> None:
    volume.array.create_volume(spec("plain"))
    with pytest.raises(Fault, match=r"not whole.*plain \(plain\)"):
        volume.array.expand_active_active(VolumeName("plain"), 2 * GIB, host="h", guard=volume.host)
    with pytest.raises(Fault, match="no volume gone") as caught:
        volume.array.active_active(VolumeName("gone"))
    assert caught.value.code is Code.VOLUME_MISSING


@pytest.mark.parametrize("small", ["Pool0", "Pool1"])
def test_a_pool_that_is_one_extent_too_small_is_named_with_its_figures(
    make_rig: Callable[..., Rig], tmp_path: Path, small: str
) -> None:
    pools = {"Pool0": "9GiB", "Pool1": "9GiB", small: "3GiB"}
    rig = make_rig(pools=",".join(f"{name}:{size}" for name, size in pools.items()))
    volume = Volume(rig, tmp_path, provisioning=Provisioning())
    volume.array.create_volume(spec("other", pools=(small,)))  # thin: one extent
    fields = volume.array.pool(small)
    assert fields is not None
    assert fields.free == 3 * GIB - GIB - 256 * MIB
    volume.rig.reset()
    _refused(volume, rf"pool {small} has 1\.75 GiB free, 2\.00 GiB are needed", Code.POOL_FULL, 3 * GIB)
    assert {member.size for member in volume.expand(2 * GIB).members} == {2 * GIB}
    assert volume.equal()
