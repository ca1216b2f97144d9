"""An active-active volume whose expansion was broken off and whose barrier is gone: who sees it, refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Step
from tests.agent.bench import GIB, options
from tests.agent.expanding import AA, VOLUME

if TYPE_CHECKING:
    from tests.agent.expanding import Pair

pytestmark = pytest.mark.slow


def test_an_interrupted_volume_is_not_attached_by_another_node(pair: Pair) -> None:
    pair.break_off()
    pair.bench.helper.barrier.unlink()
    pair.bench.helper.mounts.clear()
    message = pair.bench.attach(VOLUME, AA).failure(
        "should be aa (active-active) and is basic on array storage-01"
    )
    assert "instoragectl barrier plan vol1" in message


def test_a_pair_whose_pv_says_another_kind_is_not_attached(pair: Pair) -> None:
    pair.bench.helper.mounts.clear()
    said = pair.bench.attach(VOLUME, options(VOLUME, volLevel="basic")).failure("its PV says basic")
    assert "volLevel aa" in said


def test_a_pv_that_does_not_say_its_kind_is_not_grown_as_another(pair: Pair) -> None:
    pair.break_off()
    pair.bench.helper.barrier.unlink()
    said = pair.bench.expandfs(VOLUME, 2 * GIB).failure("was broken off and is not finished")
    assert "instoragectl barrier plan vol1" in said
    assert "GrowFilesystem" not in pair.bench.helper.verbs()


def test_a_relationship_that_a_person_made_with_sync_is_no_proof_of_equal_copies(pair: Pair) -> None:
    """It is that person's word, given by removing the barrier file (test_finished_by_hand.py)."""
    pair.break_off(Step.TIE)
    bench = pair.bench
    pair.write()
    for planned in bench.array.expansion_plan(pair.record).commands:
        words = planned.words[:-1] + (("-sync",) if planned.step is Step.TIE else ()) + planned.words[-1:]
        bench.array._cli.operate(*words)
    bench.reset()
    pair.expand(3 * GIB).failure(str(bench.helper.barrier))
    assert "made over copies that differ" in pair.plan()
    assert pair.syncs() == 0
    pair.age()
    assert "is whole" in pair.resume()
    pair.assert_whole()
    assert pair.expand(3 * GIB).success().answer["volumeNewSize"] == 3 * GIB
    pair.assert_whole(3 * GIB)


def test_detach_leaves_a_volume_with_a_broken_off_expansion_mapped(pair: Pair) -> None:
    pair.break_off()
    bench = pair.bench
    bench.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    bench.map(VOLUME, "iscsi-node2", share=True)
    bench.do("logins", port="iqn.1993-08.org.debian:01:node2", nodes=[])
    bench.call("detach", VOLUME, "node2").failure("stays mapped until")
    assert "iscsi-node2" in bench.maps(VOLUME)
