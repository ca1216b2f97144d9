"""A changing command that nobody wants any more is not sent; questions are asked all the same."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.operation import only_while
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import LIMITS, NAMES, NODE, V1, spec

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig


class Caller:
    """Somebody who waits, until he has left."""

    def __init__(self) -> None:
        self.left = threading.Event()
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.left.is_set():
            raise Fault(Code.TIMEOUT, "The caller has left.")


@pytest.fixture
def array(rig: Rig) -> As18000:
    """A client of one channel; v1 is mapped to node1."""
    made = rig.client(limits=replace(LIMITS, channels=1))
    made.create_volume(spec("v1"))
    made.ensure_host(NODE, link="iscsi", names=NAMES)
    made.map_volume(V1, NAMES[0])
    rig.reset()
    return made


def test_a_command_goes_out_while_it_is_wanted(array: As18000) -> None:
    caller = Caller()
    with only_while(caller):
        assert array.unmap_volume(V1, NAMES[0])
    assert caller.asked == 1
    assert array.mappings(V1) == ()


def test_one_that_waited_for_a_channel_is_not_sent_after_the_caller_left(rig: Rig, array: As18000) -> None:
    rig.do("fault", command="lsvdisk", delay=1.0)
    asking = threading.Thread(target=array.find_volume, args=(V1,))
    asking.start()
    caller = Caller()
    threading.Timer(0.5, caller.left.set).start()
    with pytest.raises(Fault) as raised, only_while(caller):
        array.unmap_volume(V1, NAMES[0])
    asking.join()
    assert raised.value.code is Code.TIMEOUT, "nothing was sent, so nothing is unknown"
    assert [mapping.host for mapping in array.mappings(V1)] == [NAMES[0]]


def test_one_without_an_answer_is_not_repeated_after_the_caller_left(rig: Rig, array: As18000) -> None:
    caller = Caller()

    def once() -> None:
        caller()
        caller.left.set()

    rig.do("fault", command="rmvdiskhostmap", before="connection")
    with pytest.raises(Fault) as raised, only_while(once):
        array.unmap_volume(V1, NAMES[0])
    assert raised.value.code is Code.OUTCOME_UNKNOWN
    assert [mapping.host for mapping in array.mappings(V1)] == [NAMES[0]]


def test_one_that_is_wanted_within_what_is_not_wanted_any_more_is_not_sent(array: As18000) -> None:
    caller, inner = Caller(), Caller()
    caller.left.set()
    with only_while(caller), only_while(inner), pytest.raises(Fault, match="has left"):
        array.unmap_volume(V1, NAMES[0])
    assert [mapping.host for mapping in array.mappings(V1)] == [NAMES[0]]
    caller.left.clear()
    with only_while(caller), only_while(inner):
        array.unmap_volume(V1, NAMES[0])
    assert (caller.asked, inner.asked) == (2, 1)


def test_a_question_needs_nobody(array: As18000) -> None:
    caller = Caller()
    caller.left.set()
    with only_while(caller):
        assert array.find_volume(V1) is not None
    assert caller.asked == 0


def test_one_that_was_wanted_only_after_its_time_is_not_sent(rig: Rig) -> None:
    array = rig.client(limits=replace(LIMITS, operation=0.5))
    array.create_volume(spec("v1"))
    late = threading.Event()

    def asked() -> None:
        late.wait(0.7)

    with pytest.raises(Fault, match="could not be sent in time") as raised, only_while(asked):
        array.delete_volume(V1)
    assert raised.value.code is Code.TIMEOUT, "nothing was sent, so nothing is unknown"
    assert array.find_volume(V1) is not None
