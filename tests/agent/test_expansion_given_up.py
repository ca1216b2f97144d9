"""An expansion that a person gave up, or whose volume is gone: no sound pair is parted, no record stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Step
from instorage.wire.fault import Code, Fault
from tests.agent.bench import ACTIVE_ACTIVE, GIB
from tests.agent.expanding import VOLUME

if TYPE_CHECKING:
    from tests.agent.expanding import Pair

pytestmark = pytest.mark.slow
IQN = "iqn.1993-08.org.debian:01:node2"


@pytest.fixture
def thick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Volumes of this test take their room at once; to be asked for before `pair`."""
    monkeypatch.setitem(ACTIVE_ACTIVE, "thin", False)


def given_up(pair: Pair) -> None:
    """Broken off for want of room; then tied again at the old size, all of the master copied."""
    pair.break_off(Step.GROW_MASTER)
    pair.bench.do("clear")
    pair.write()
    pair.tie_by_hand()
    pair.bench.do("copied", volume=VOLUME)


def deleted(pair: Pair) -> None:
    """Broken off; then an administrator deletes all four."""
    pair.break_off()
    pair.bench.do("clear")
    for name in pair.names.values():
        pair.bench.array._cli.operate("rmvdisk", "-force", name)


def relationships(pair: Pair) -> int:
    return len(pair.bench.array._cli.rows("lsrcrelationship"))


@pytest.mark.usefixtures("thick")
def test_a_resume_parts_no_pair_that_has_no_room_to_grow(pair: Pair) -> None:
    given_up(pair)
    free = pair.bench.array.pool("Pool1")
    assert free is not None
    pair.bench.create("filler", pools=("Pool1",), size=(free.free // GIB) * GIB, thin=False)
    with pytest.raises(Fault, match="Pool1") as refused:
        pair.resume()
    assert refused.value.code is Code.POOL_FULL
    assert relationships(pair) == 1
    assert pair.uid in pair.bench.helper.kept


def test_a_resume_parts_no_pair_of_which_a_copy_cannot_grow(pair: Pair) -> None:
    given_up(pair)
    pair.bench.do("vdisk-status", volume=pair.names["aux"], status="offline")
    with pytest.raises(Fault, match="not online"):
        pair.resume()
    assert relationships(pair) == 1


def test_clear_takes_the_word_of_who_gave_it_up_and_the_next_expansion_begins_anew(pair: Pair) -> None:
    given_up(pair)
    assert "instoragectl barrier clear" in pair.plan()
    pair.bench.helper.barrier.unlink()
    pair.expand().failure("was broken off and is not finished")
    assert "tied again by hand at its old size" in pair.clear()
    assert not pair.bench.helper.kept
    pair.expand().success()
    pair.assert_whole()


def test_clear_forgets_a_volume_of_which_no_copy_is_left(pair: Pair) -> None:
    deleted(pair)
    assert "is not on the array any more" in pair.plan()
    assert "has no copy on array" in pair.clear()
    assert not pair.bench.helper.kept


def test_clear_keeps_the_record_when_another_array_has_the_name_in_the_configuration(pair: Pair) -> None:
    deleted(pair)
    elsewhere = {**json.loads(pair.bench.helper.kept[pair.uid]), "system": "mcs9"}
    pair.bench.helper.kept[pair.uid] = json.dumps(elsewhere)
    assert "its record is kept" in pair.clear()
    assert pair.uid in pair.bench.helper.kept


def test_a_new_volume_of_the_name_of_one_that_is_gone_is_fenced(pair: Pair) -> None:
    deleted(pair)
    pair.bench.create(VOLUME)
    pair.bench.make_host("iscsi-node2", IQN)
    pair.bench.map(VOLUME, "iscsi-node2")
    pair.bench.do("logins", port=IQN, nodes=[])
    pair.bench.call("detach", VOLUME, "node2").success()
    assert pair.bench.maps(VOLUME) == []
