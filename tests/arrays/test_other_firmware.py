"""What firmware, pools and other administrators of an array make different from a plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.as18000.session import cli
from instorage.arrays.model import Level, Provisioning
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import ACTIVE_ACTIVE, MIRROR, V1, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

AA = VolumeName("aa")


def test_a_filter_that_was_refused_once_is_tried_again(
    rig: Rig, array: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    array.create_volume(spec("v1"))
    rig.fault("lsvdisk", error="CMMVC5741E")
    assert array.find_volume(V1) is not None
    rig.reset()
    assert array.find_volume(V1) is not None
    assert "-filtervalue name=v1" in rig.lines()[0]
    monkeypatch.setattr(cli, "BY_NAME", 0.0)
    other = rig.client()
    rig.fault("lsvdisk", error="CMMVC5741E")
    assert other.find_volume(V1) is not None
    rig.reset()
    assert other.find_volume(V1) is not None
    assert "-filtervalue volume_name=v1" in rig.lines()[0]


def test_an_active_active_volume_is_whole_where_volumes_can_be_looked_for_by_name_alone(
    rig: Rig, array: As18000
) -> None:
    made = array.create_volume(spec("aa", **ACTIVE_ACTIVE))
    rig.fault("lsvdisk", match="volume_name=", error="CMMVC5741E", times=0)
    assert array.find_volume(AA) == made
    assert array.find_volume_by_uid(made.uid) == made
    assert len(array.active_active(AA).members) == 4
    assert "has its four vdisks" in array.expansion_findings(AA)[0]
    assert array.find_volume(VolumeName("gone")) is None


@pytest.mark.parametrize("kind", [{}, MIRROR, ACTIVE_ACTIVE], ids=["basic", "mirror", "aa"])
def test_a_volume_in_pools_of_flash_alone_is_made_without_tiering_and_grain(
    make_rig: Callable[..., Rig], kind: dict[str, Any]
) -> None:
    rig = make_rig(pools="Pool0:100GiB:ssa,Pool1:100GiB:ssa")
    how = Provisioning(thin=True, grain_kib=64, tiering=True)
    made = rig.client().create_volume(spec("v1", provisioning=how, **kind))
    assert made.level is kind.get("level", Level.BASIC)
    assert not [line for line in rig.lines() if "-intier" in line or "-grainsize" in line]


def test_other_pools_get_both(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1", provisioning=Provisioning(thin=True, grain_kib=64, tiering=True)))
    (line,) = [line for line in rig.lines() if "mkvdisk" in line]
    assert "-grainsize 64" in line
    assert line.endswith("-intier on")


def test_a_volume_in_a_remote_copy_relationship_says_so_when_it_cannot_be_deleted(
    rig: Rig, array: As18000
) -> None:
    array.create_volume(spec("v1"))
    array.create_volume(spec("far"))
    rig.do("relate", volume="v1", other="far")
    for name in (V1, VolumeName("far")):
        with pytest.raises(Fault, match="remote copy relationship rcrel0") as caught:
            array.delete_volume(name)
        assert caught.value.code is Code.VOLUME_NOT_READY
        assert "mcsop rmrcrelationship rcrel0" in caught.value.sentence
    assert rig.volume_names() == ["v1", "far"]
