"""Whose a host object is when ports are spelled otherwise, of another kind, not named, or change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import holder, host_objects
from instorage.arrays.model import Initiator
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn, Wwpn
from tests.arrays.conftest import LIMITS, NAMES, NODE

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from instorage.arrays.model import Host
    from tests.arrays.conftest import Rig

IQN = str(NODE.iqn)
CAPITALS = Initiator(iqn=Iqn.parse("iqn.2026-01.com.Example:NodeA_7shEhjs"))
MIXED = Initiator(iqn=NODE.iqn, wwpns=(Wwpn.parse("2100000E1E30ACFC"), Wwpn.parse("2100000E1E30ACFD")))


def ensure(array: As18000, initiator: Initiator = NODE) -> Host:
    return array.ensure_host(initiator, link="iscsi", names=NAMES)


def add(array: As18000, *words: str) -> None:
    array._cli.operate("addhostport", "-force", *words, NAMES[0])


def test_a_name_with_capitals_is_sent_as_it_is_and_known_again_as_the_array_folds_it(
    rig: Rig, array: As18000
) -> None:
    first = ensure(array, CAPITALS)
    assert f"-iscsiname {CAPITALS.iqn}" in "\n".join(rig.lines())
    assert [port.name for port in first.ports] == [str(CAPITALS.iqn).lower()]
    rig.reset()
    assert ensure(rig.client(), CAPITALS) == first
    assert rig.commands() == {"lshost": 1}


def test_a_name_with_capitals_in_a_foreign_object_is_found_there(rig: Rig, array: As18000) -> None:
    array._cli.operate("mkhost", "-force", "-iscsiname", str(CAPITALS.iqn).lower(), "-name", "esx7")
    with pytest.raises(Fault, match="host object esx7") as caught:
        ensure(array, CAPITALS)
    assert caught.value.code is Code.HOST_OBJECT
    assert rig.do("hosts")[0]["name"] == "esx7"


def test_an_object_with_this_machines_name_and_its_adapters_is_ours(rig: Rig, array: As18000) -> None:
    ensure(array)
    add(array, "-hbawwpn", "2100000E1E30ACFC:2100000E1E30ACFD")
    assert ensure(rig.client(), MIXED).name == NAMES[0]
    with pytest.raises(Fault, match="not this machine's"):
        ensure(rig.client(), NODE)


def test_a_sas_port_is_foreign_whether_or_not_the_array_names_it(rig: Rig, array: As18000) -> None:
    ensure(array)
    add(array, "-saswwpn", "500062B200556140")
    with pytest.raises(Fault, match="500062b200556140"):
        ensure(rig.client())
    rig.do("dialect", sas_names=False)
    with pytest.raises(Fault, match="it has 1 more, which the array does not name") as caught:
        ensure(rig.client())
    assert caught.value.code is Code.HOST_OBJECT


def test_a_foreign_port_that_comes_later_is_seen_when_the_object_is_looked_at_again(
    rig: Rig, array: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_objects, "REMEMBERED", 0.2)
    array = rig.client()
    ensure(array)
    add(array, "-iscsiname", f"{IQN}-clone")
    time.sleep(0.25)
    with pytest.raises(Fault, match=f"{IQN}-clone"):
        ensure(array)


def test_an_object_is_remembered_for_minutes() -> None:
    assert 60 <= host_objects.REMEMBERED <= 300


def many(rig: Rig, array: As18000, count: int) -> None:
    for number in range(count):
        array._cli.operate(
            "mkhost", "-force", "-iscsiname", f"iqn.2000-01.org.o:{number}", "-name", f"o{number}"
        )
    array._cli.operate("mkhost", "-force", "-iscsiname", IQN, "-name", "esx7")
    rig.reset()


def test_the_search_for_a_holder_ends_and_says_what_it_was_for(
    rig: Rig, array: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(rig, array, 24)
    monkeypatch.setattr(holder, "SECONDS", 0.3)
    rig.fault("lshost", match="lshost -delim ! ", delay=0.2, times=0)
    began = time.monotonic()
    with pytest.raises(
        Fault, match=r"another host object has .*[0-9]+ objects were read.*host\.objects"
    ) as caught:
        ensure(rig.client(limits=LIMITS))
    assert caught.value.code is Code.HOST_OBJECT
    assert time.monotonic() - began < 4
    assert rig.commands()["lshost"] < 25


def test_a_refusal_that_took_a_search_is_given_again_without_one(rig: Rig, array: As18000) -> None:
    many(rig, array, 5)
    for _ in range(3):
        with pytest.raises(Fault, match="host object esx7"):
            ensure(array)
    assert rig.commands()["mkhost"] == 1
    assert rig.commands()["lshost"] < 10


def test_a_host_object_that_cannot_be_read_does_not_hide_the_holder(rig: Rig, array: As18000) -> None:
    many(rig, array, 3)
    rig.fault("lshost", match="! 1", empty=True, times=0)
    with pytest.raises(Fault, match="host object esx7"):
        ensure(array)


def test_the_fabric_names_the_holder_of_a_logged_in_adapter(rig: Rig, array: As18000) -> None:
    many(rig, array, 20)
    array._cli.operate("mkhost", "-force", "-hbawwpn", "2100000E1E30ACFC:21000024FF3A0001", "-name", "esx9")
    rig.do("logins", port="2100000E1E30ACFC", nodes=[1, 2])
    rig.reset()
    with pytest.raises(Fault, match=r"host object esx9 .*21000024ff3a0001"):
        array.ensure_host(MIXED, link="fc", names=("fc-node1",))
    assert rig.commands() == {"lshost": 2, "lsfabric": 1}, "nothing was changed"


def test_an_array_that_lists_no_host_objects_leaves_the_holder_unnamed(rig: Rig, array: As18000) -> None:
    many(rig, array, 1)
    rig.fault("lshost", error="CMMVC7016E", skip=2, times=0)
    with pytest.raises(Fault, match=r"another host object has .* \(0 objects were read\)") as caught:
        ensure(array)
    assert caught.value.code is Code.HOST_OBJECT
