"""An array that protects volumes with recent I/O: unmapping and deletion wait, with the reason."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.model import Initiator
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn
from tests.arrays.conftest import ACTIVE_ACTIVE, NAMES, NODE, V1, spec
from tests.simulator.conftest import Client

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

HOST = NAMES[0]
MINUTES = 0.02  # 1.2 s


@pytest.fixture
def mapped(rig: Rig, array: As18000) -> As18000:
    array.create_volume(spec("v1"))
    array.ensure_host(NODE, link="iscsi", names=NAMES)
    rig.do("dialect", protection_minutes=60)
    array.map_volume(V1, HOST)
    return array


def protected(fault: Fault) -> None:
    assert fault.code is Code.VOLUME_PROTECTED
    assert "chsystem -vdiskprotectiontime" in fault.sentence
    assert "Nothing is wrong" in fault.sentence


def test_an_unmapping_waits_says_why_and_is_done_later(rig: Rig, mapped: As18000) -> None:
    with pytest.raises(Fault, match=f"keeps volume v1 mapped to {HOST}.*60 minutes") as caught:
        mapped.unmap_volume(V1, HOST)
    protected(caught.value)
    rig.do("dialect", protection_minutes=MINUTES)
    deadline = time.monotonic() + 20
    while True:
        try:
            assert mapped.unmap_volume(V1, HOST) is True
            break
        except Fault as fault:
            protected(fault)
            assert time.monotonic() < deadline
    assert mapped.mappings(V1) == ()


@pytest.mark.parametrize("kind", [{}, ACTIVE_ACTIVE], ids=["basic", "aa"])
def test_a_deletion_waits_and_says_why(rig: Rig, array: As18000, kind: dict[str, Any]) -> None:
    array.create_volume(spec("v1", **kind))
    rig.do("write", volume="v1", data="just now")
    rig.do("dialect", protection_minutes=15)
    with pytest.raises(Fault, match=r"keeps volume v1 undeleted.*15 minutes") as caught:
        array.delete_volume(V1)
    protected(caught.value)
    rig.do("dialect", protection_minutes=0)
    assert array.delete_volume(V1) is True


def test_a_pool_whose_protection_the_arrays_administrator_ends_lets_a_volume_be_unmapped_at_once(
    rig: Rig, mapped: As18000
) -> None:
    with pytest.raises(Fault) as caught:
        mapped.unmap_volume(V1, HOST)
    protected(caught.value)
    administrator = Client(rig.simulator)
    try:
        administrator.good("mcsop chmdiskgrp -vdiskprotectionenabled no Pool0")
    finally:
        administrator.close()
    found = mapped.protection()
    assert found is not None
    assert found.pools == ("Pool1",)
    assert mapped.unmap_volume(V1, HOST) is True


def test_a_code_that_has_a_meaning_keeps_it(rig: Rig, mapped: As18000) -> None:
    rig.fault("rmvdiskhostmap", error="CMMVC7016E")
    with pytest.raises(Fault) as caught:
        mapped.unmap_volume(V1, HOST)
    assert caught.value.code is Code.ARRAY_AUTHENTICATION


def test_words_of_protection_are_understood_whatever_the_code(rig: Rig, mapped: As18000) -> None:
    rig.do("dialect", protection_minutes=0)
    rig.fault("rmvdiskhostmap", error="CMMVC5753E", text="refused: volume protection, recent I/O")
    with pytest.raises(Fault) as caught:
        mapped.unmap_volume(V1, HOST)
    protected(caught.value)


@pytest.mark.parametrize("switches", [{"protection_minutes": 0}, {"protection_pool": "Pool1"}])
def test_where_it_is_off_an_unknown_refusal_is_just_that(
    rig: Rig, mapped: As18000, switches: dict[str, Any]
) -> None:
    rig.do("dialect", **switches)
    rig.fault("rmvdiskhostmap", error="CMMVC9999E")
    with pytest.raises(Fault, match="CMMVC9999E") as caught:
        mapped.unmap_volume(V1, HOST)
    assert caught.value.code is Code.ARRAY_REFUSED


def test_a_protection_that_cannot_be_read_leaves_the_refusal(rig: Rig, mapped: As18000) -> None:
    rig.fault("lssystem", error="CMMVC5982E")
    with pytest.raises(Fault, match="CMMVC9999E") as caught:
        mapped.unmap_volume(V1, HOST)
    assert caught.value.code is Code.ARRAY_REFUSED


def test_who_waits_for_a_protected_volume_is_told_how_long_that_may_take(rig: Rig, mapped: As18000) -> None:
    other = mapped.ensure_host(Initiator(iqn=Iqn("iqn.1993-08.org.debian:01:b")), link="iscsi", names=("b",))
    with pytest.raises(Fault, match="may take 60 minutes after the last I/O") as caught:
        mapped.map_volume(V1, other.name)
    assert caught.value.code is Code.VOLUME_MAPPED_ELSEWHERE
    rig.do("dialect", protection_minutes=0)
    with pytest.raises(Fault) as caught:
        mapped.map_volume(V1, other.name)
    assert "protection" not in caught.value.sentence


def test_what_is_protected_can_be_asked(rig: Rig, array: As18000) -> None:
    assert array.protection() is None
    rig.do("dialect", protection_minutes=15, protection_pool="Pool1")
    found = array.protection()
    assert found is not None
    assert (found.minutes, found.pools) == (15, ("Pool1",))
    rig.do("dialect", protection_pool="PoolX")
    assert array.protection() is None
