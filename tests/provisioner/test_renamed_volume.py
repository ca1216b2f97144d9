"""A volume that was renamed or moved on the array is neither deleted for its name nor said to be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES
from provisioner.growth import Growth
from tests.arrays.administrator import order

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from provisioner.events import Events
    from tests.provisioner.bench import Bench

GIB = 1 << 30


def name_of(volume: Object) -> str:
    return str(volume["metadata"]["name"])


def at(bench: Bench, *lines: str) -> None:
    order(bench.arrays["storage-01"], *lines)


def test_a_volume_that_was_renamed_is_kept_with_its_pv_and_both_ways_on_are_said(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    name = name_of(volume)
    at(bench, f'chvdisk -name "last year" {name}')
    with pytest.raises(Fault, match="is called «last year» on array storage-01 now") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.VOLUME_NOT_READY
    assert f'chvdisk -name {name} "last year"' in caught.value.sentence
    assert f"kubectl patch pv {name} -p" in caught.value.sentence
    assert (bench.names(), bench.volume(name)["metadata"]["name"]) == (["last year"], name)
    at(bench, f'chvdisk -name {name} "last year"')
    bench.deletion.run(volume)
    assert bench.names() == []


def test_a_volume_that_was_renamed_to_be_kept_lets_its_pv_go_once_the_policy_says_so(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    at(bench, f"chvdisk -name keep {name_of(volume)}")
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
    volume["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z"
    bench.deletion.run(volume)
    assert bench.names() == ["keep"]


def test_a_volume_that_is_really_gone_lets_its_pv_go(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    at(bench, f"rmvdisk {name_of(volume)}")
    bench.deletion.run(volume)
    assert not bench.memory.objects(VOLUMES)[0]
    assert "was deleted before" in bench.text


def test_names_that_change_hands_at_the_last_moment_cost_nobody_a_volume(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())
    name = name_of(volume)
    at(bench, "mkvdisk -name precious -size 1 -unit gb -mdiskgrp Pool0")
    census = bench.memory.objects

    def and_then(path: str) -> Any:
        if path == VOLUMES:
            at(bench, f"chvdisk -name old {name}", f"chvdisk -name {name} precious")
        return census(path)

    monkeypatch.setattr(bench.memory, "objects", and_then)
    with pytest.raises(Fault, match="its name was given to another volume just now") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.NOT_OURS
    assert bench.names() == sorted(["old", name])


def test_a_snapshot_that_is_in_the_way_of_a_deletion_is_named(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    name = name_of(volume)
    at(
        bench,
        f"mkvdisk -name snap -size {GIB} -unit b -mdiskgrp Pool0",
        f"mklcmap -copyrate 0 -source {name} -target snap -name monday",
    )
    with pytest.raises(Fault, match=r"monday to volume snap \(idle_or_copied\)"):
        bench.deletion.run(volume)
    at(bench, "rmlcmap monday")
    bench.deletion.run(volume)
    assert bench.names() == ["snap"]


def enlarged(bench: Bench, size: str) -> tuple[Object, Object]:
    """A thick claim of 1 GiB, bound, that asks for more now; and its PV."""
    claim = bench.claim()
    volume = bench.provision(claim, volThin="false")
    claim["spec"]["resources"]["requests"]["storage"] = size
    claim["status"] = {"capacity": {"storage": "1Gi"}}
    return claim, volume


def test_a_claim_that_grows_is_measured_by_the_pool_in_which_its_volume_is_now(bench: Bench) -> None:
    claim, volume = enlarged(bench, "5Gi")
    at(
        bench,
        f"migratevdisk -mdiskgrp Pool1 -vdisk {name_of(volume)}",
        "mkvdisk -name filler -size 98 -unit gb -mdiskgrp Pool1",
    )
    Growth(bench.client, cast("Events", bench)).run(claim, volume)
    assert "pool Pool1 on array storage-01 has 1.0 GiB free, 4.0 GiB are needed" in bench.text


def test_a_claim_that_grows_is_told_that_its_volume_was_renamed(bench: Bench) -> None:
    claim, volume = enlarged(bench, "5Gi")
    at(bench, f"chvdisk -name other {name_of(volume)}")
    growth: Any = Growth(bench.client, cast("Events", bench))
    with pytest.raises(Fault, match="is called «other»"):
        growth.run(claim, volume)
