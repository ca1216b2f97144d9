"""A volume that the array keeps for a while after its last I/O is deleted later, and nothing fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from provisioner import complaint
from provisioner.cluster import VOLUMES
from tests.provisioner.program import until

if TYPE_CHECKING:
    from tests.provisioner.bench import Bench
    from tests.provisioner.world import World


def test_a_protected_volume_keeps_its_pv_and_goes_when_the_time_is_over(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    control = bench.arrays["storage-01"].control
    control.do("write", volume=volume["metadata"]["name"], data="just now")
    control.do("dialect", protection_minutes=15)
    sentences = set()
    for _ in range(2):
        with pytest.raises(Fault, match="15 minutes after I/O") as caught:
            bench.deletion.run(volume)
        assert caught.value.code is Code.VOLUME_PROTECTED
        sentences.add(caught.value.sentence)
    assert len(sentences) == 1, "one event, whose count is raised"
    assert bench.names() == [volume["metadata"]["name"]]
    assert bench.memory.objects(VOLUMES)[0]
    control.do("dialect", protection_minutes=0)
    bench.deletion.run(volume)
    assert bench.names() == []
    assert not bench.memory.objects(VOLUMES)[0]


def test_that_it_waits_is_no_warning(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    event = complaint.of_volume(volume, "later", waits=True)
    assert (event.normal, event.reason) == (True, "VolumeDeletionWaits")


def test_a_claim_that_is_deleted_just_after_its_pod_is_no_failure(served: World) -> None:
    claim = served.claim(served.storage_class())
    volume = served.bound(claim)["metadata"]["name"]
    served.do("write", volume=volume, data="just now")
    served.do("dialect", protection_minutes=15)
    served.delete_claim(claim)
    served.says(volume, "Normal VolumeDeletionWaits")
    assert "volume protection is on" in served.said(volume)
    assert "VolumeFailedDelete" not in served.said(volume)
    assert served.names() == [volume]
    served.do("dialect", protection_minutes=0)
    until(lambda: served.volume(volume) is None, 60, what="the PV is gone")
    assert served.names() == []
