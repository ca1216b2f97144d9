"""A broken-off expansion whose volume another node has by now: nothing is done by the record here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Step
from instorage.wire.fault import Fault
from tests.agent.expanding import VOLUME, Pair
from tests.agent.test_finished_by_hand import give, printed
from tests.arrays.administrator import order

if TYPE_CHECKING:
    from tests.agent.bench import Bench

pytestmark = pytest.mark.slow
OTHER = "iscsi-node2"


def changes(bench: Bench) -> list[str]:
    return [name for name in bench.commands() if not name.startswith("ls")]


def moved(pair: Pair) -> None:
    """Give the volume to another node alone."""
    bench = pair.bench
    bench.make_host(OTHER, "iqn.1993-08.org.debian:01:node2")
    for host in bench.maps(VOLUME):
        bench.array._cli.operate("rmvdiskhostmap", "-host", host, VOLUME)
    bench.map(VOLUME, OTHER)
    bench.helper.mounts.clear()
    bench.reset()


def test_resume_leaves_a_volume_alone_that_was_finished_and_is_used_elsewhere(pair: Pair) -> None:
    pair.break_off(Step.TIE)
    pair.bench.do("clear")
    give(pair, printed(pair))
    moved(pair)
    assert f"It is mapped to {OTHER}" in pair.plan()
    with pytest.raises(Fault, match=f"It is mapped to {OTHER}, and was to this node"):
        pair.resume()
    assert changes(pair.bench) == []
    assert pair.uid in pair.bench.helper.kept
    assert "was made whole by hand" in pair.clear()
    assert not pair.bench.helper.kept


def test_an_object_that_got_this_nodes_name_is_another_one_all_the_same(pair: Pair) -> None:
    pair.break_off(Step.GROW_AUX)
    pair.bench.do("clear")
    moved(pair)
    order(pair.bench.simulator, "chhost -name former iscsi-node1")
    order(pair.bench.simulator, f"chhost -name iscsi-node1 {OTHER}")
    with pytest.raises(Fault, match="It is mapped to iscsi-node1, and was to this node"):
        pair.resume()
    assert changes(pair.bench) == []


def test_a_renamed_object_of_this_node_is_this_node(pair: Pair) -> None:
    pair.break_off(Step.GROW_AUX)
    pair.bench.do("clear")
    order(pair.bench.simulator, "chhost -name renamed iscsi-node1")
    assert "is whole" in pair.resume()
    assert not pair.bench.helper.kept
