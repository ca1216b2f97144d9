"""A PV is let go only when its volume is surely gone: an array may show nothing for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000.session import hesitation
from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES

if TYPE_CHECKING:
    from tests.provisioner.bench import Bench

PAUSE = hesitation.LOOK_AGAIN  # the true one: tests have a shorter one


def test_a_moment_without_an_answer_is_not_taken_for_a_deleted_volume(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())
    monkeypatch.setattr(hesitation, "LOOK_AGAIN", PAUSE)
    bench.fault(command="lsvdisk", empty=True, seconds=PAUSE / 2)
    bench.deletion.run(volume)
    assert bench.names() == []
    assert "is deleted" in bench.text
    assert "was deleted before" not in bench.text


def test_a_volume_that_is_shown_by_its_uid_alone_keeps_its_pv(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    bench.fault(command="lsvdisk", match="volume_name=", empty=True, times=0)
    with pytest.raises(Fault, match=r"by its UID .* and not by its name") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.VOLUME_NOT_READY
    assert bench.names() == [volume["metadata"]["name"]]
    assert bench.memory.objects(VOLUMES)[0]


def test_a_volume_that_an_administrator_deleted_lets_its_pv_go(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    array = bench.client.get(None)
    assert array.find_volume_by_uid(volume["spec"]["flexVolume"]["options"]["volumeUid"]) is not None
    array._cli.operate("rmvdisk", volume["metadata"]["name"])  # type: ignore[attr-defined]
    bench.deletion.run(volume)
    assert not bench.memory.objects(VOLUMES)[0]
    assert "was deleted before" in bench.text


def test_a_claim_is_served_when_the_array_is_well_again(bench: Bench) -> None:
    bench.fault(command="mkvdisk", error="CMMVC5786E", times=2)
    bench.provision(bench.claim())
    assert len(bench.names()) == 1
