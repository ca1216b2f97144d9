"""An array that says that it is not well for the moment, and shows nothing for a while, over SSH."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage import operation
from instorage.arrays.as18000.session import hesitation
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import GIB, LIMITS, NAMES, NODE, V1, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

BUSY = "CMMVC5786E"
PAUSE = hesitation.LOOK_AGAIN  # the true one: tests have a shorter one


def make(array: As18000) -> object:
    return array.create_volume(spec("v2"))


def grow(array: As18000) -> object:
    return array.grow_volume(V1, 2 * GIB)


def put(array: As18000) -> object:
    return array.map_volume(V1, NAMES[0])


def take(array: As18000) -> object:
    array.map_volume(V1, NAMES[0])
    return array.unmap_volume(V1, NAMES[0])


@pytest.fixture
def prepared(rig: Rig, array: As18000) -> As18000:
    array.create_volume(spec("v1"))
    array.ensure_host(NODE, link="iscsi", names=NAMES)
    rig.reset()
    return array


@pytest.mark.parametrize(
    ("command", "work"),
    [
        pytest.param("ls*", lambda array: array.find_volume(V1), id="query"),
        pytest.param("mkvdisk", make, id="create"),
        pytest.param("expandvdisksize", grow, id="grow"),
        pytest.param("mkvdiskhostmap", put, id="map"),
        pytest.param("rmvdiskhostmap", take, id="unmap"),
    ],
)
def test_a_command_is_given_again_until_the_array_is_well(
    rig: Rig, prepared: As18000, command: str, work: Callable[[As18000], object]
) -> None:
    rig.fault(command, error=BUSY, times=3)
    assert work(prepared)
    given = [entry["status"] for entry in rig.do("log") if entry["status"] == 1]
    assert given == [1, 1, 1]


def test_it_is_asked_until_the_call_ends_and_then_it_is_said_what_it_waits_for(
    rig: Rig, prepared: As18000
) -> None:
    rig.fault("rmvdisk", error=BUSY, times=0)
    began = time.monotonic()
    with operation.within(1.0), pytest.raises(Fault, match="nothing was done") as caught:
        prepared.delete_volume(V1)
    assert caught.value.code is Code.ARRAY_BUSY
    assert time.monotonic() - began < 1.5
    assert rig.commands()["rmvdisk"] >= 3
    assert rig.volume_names() == ["v1"]


def test_what_nobody_waits_for_any_more_is_not_given_again(rig: Rig, prepared: As18000) -> None:
    asked: list[int] = []

    def gone() -> None:
        asked.append(1)
        if len(asked) > 1:
            raise Fault(Code.TIMEOUT, "The caller has left.")

    rig.fault("rmvdisk", error=BUSY, times=1)
    with operation.only_while(gone), pytest.raises(Fault, match="has left"):
        prepared.delete_volume(V1)
    assert rig.volume_names() == ["v1"]


def test_another_refusal_is_said_at_once(rig: Rig, prepared: As18000) -> None:
    rig.fault("rmvdisk", error="CMMVC5982E", times=0)
    with pytest.raises(Fault, match="CMMVC5982E"):
        prepared.delete_volume(V1)
    assert rig.commands()["rmvdisk"] == 1


def test_a_volume_that_is_not_shown_for_a_moment_is_not_gone(
    rig: Rig, prepared: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hesitation, "LOOK_AGAIN", PAUSE)
    rig.fault("lsvdisk", empty=True, seconds=PAUSE / 2)
    assert prepared.find_volume(V1) is not None
    rig.fault("lsvdisk", empty=True, seconds=PAUSE / 2)
    assert prepared.delete_volume(V1) is True
    assert rig.volume_names() == []


def test_a_mapping_that_is_not_shown_for_a_moment_is_not_gone(
    rig: Rig, prepared: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hesitation, "LOOK_AGAIN", PAUSE)
    prepared.map_volume(V1, NAMES[0])
    rig.fault("ls*hostmap", empty=True, seconds=PAUSE / 2)
    rig.fault("lshostvdiskmap", empty=True, seconds=PAUSE / 2)
    assert [found.host for found in prepared.mappings(V1)] == [NAMES[0]]
    rig.fault("lshostvdiskmap", empty=True, seconds=PAUSE / 2)
    assert [found.volume for found in prepared.host_mappings(NAMES[0])] == ["v1"]


def test_a_volume_that_is_there_costs_no_pause(
    rig: Rig, prepared: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hesitation, "LOOK_AGAIN", 3600.0)
    assert prepared.find_volume(V1) is not None
    assert prepared.pool("Pool0") is not None
    assert rig.commands() == {"lsvdisk": 1, "lsmdiskgrp": 1}


def test_a_second_look_that_has_no_time_left_proves_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hesitation, "LOOK_AGAIN", 2)
    hasty = rig.client(limits=replace(LIMITS, call=1.5))
    hasty.pool("Pool0")
    with pytest.raises(Fault) as caught:
        hasty.find_volume(VolumeName("gone"))
    assert caught.value.code is Code.TIMEOUT
