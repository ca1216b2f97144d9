"""Taking a volume from another node: two looks, one caller who waits, and every object of that node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import ACTIVE_ACTIVE, compared, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench

IQN, SECOND_IQN = "iqn.1993-08.org.debian:01:node2", "iqn.1993-08.org.debian:01:node2b"


@pytest.fixture
def lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A volume that node2, which is logged out, has."""
    monkeypatch.setattr("nodeagent.volume.fencing.PAUSE_SECONDS", 0.6, raising=False)
    bench.create("vol1")
    bench.make_host("iscsi-node2", IQN)
    bench.map("vol1", "iscsi-node2")
    bench.do("logins", port=IQN, nodes=[])
    compared()  # its own commands are not counted
    bench.reset()
    return bench


def test_a_node_whose_sessions_come_back_in_a_moment_keeps_its_volume(lost: Bench) -> None:
    """In a fail-over of the SAN all of them may be out at once."""
    stub = lost.begin("detach", "vol1", "node2")
    until(lambda: "lshost" in lost.commands())
    lost.do("logins", port=IQN, nodes=[1])
    assert "logged in" in stub.reply().failure("iscsi-node2")
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_a_node_that_is_gone_is_looked_at_twice_and_fenced(lost: Bench) -> None:
    lost.call("detach", "vol1", "node2").success()
    assert lost.commands().count("lshost") == 2
    assert lost.maps("vol1") == []


def test_a_host_that_the_array_does_not_show_is_not_taken_for_a_dead_one(lost: Bench) -> None:
    lost.do("fault", command="lshost", error="CMMVC5754E", times=0)
    lost.call("detach", "vol1", "node2").failure("does not show that host")
    lost.do("clear")
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_an_unmap_that_found_no_place_at_the_array_is_not_sent_when_its_caller_has_left(
    lost: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mapping that was made anew meanwhile would go."""
    monkeypatch.setattr("nodeagent.calls.detach.UNMAP_SECONDS", 1.5)
    lost.do("fault", command="rmvdiskhostmap", before="silence", times=1)
    stub = lost.begin("detach", "vol1", "node2")
    until(lambda: any("unmapping" in line for line in stub.progress))
    stub.leave()
    until(lambda: lost.agent.server.calls == 0, 60)
    assert lost.maps("vol1") == ["iscsi-node2"], "it was sent again to nobody's use"


def test_both_host_objects_of_a_node_lose_the_volume(lost: Bench) -> None:
    """One by the rule for names, one by the table of the configuration."""
    lost.make_host("esx-17", SECOND_IQN)
    lost.map("vol1", "esx-17", share=True)
    lost.do("logins", port=SECOND_IQN, nodes=[])
    lost.configure(host="  objects:\n    node2: esx-17\n")
    lost.call("detach", "vol1", "node2").success()
    assert lost.maps("vol1") == []


def test_when_the_time_is_up_it_is_said_that_it_is_and_not_that_the_caller_left(
    lost: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.calls.detach.UNMAP_SECONDS", 300.0)
    message = lost.call("detach", "vol1", "node2").failure("Too late to unmap")
    assert "caller has left" not in message
    assert "it needs 300 s" in message
    assert "took longest" in message
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_an_active_active_volume_that_is_half_tied_stays_mapped_also_by_a_control_planes_word(
    lost: Bench,
) -> None:
    """Its host has no helper, and so no record of what was broken off: the array shows it."""
    lost.create("aa1", **ACTIVE_ACTIVE)
    lost.map("aa1", "iscsi-node2")
    rows = {row["function"]: row for row in lost.do("volumes") if row["function"]}
    cli = lost.array._cli
    cli.operate("rmrcrelationship", str(rows["master"]["id"]))
    ends = ("-master", rows["master"]["name"], "-aux", rows["aux"]["name"], "-cluster", "mcs1")
    cli.operate("mkrcrelationship", *ends, "-sync", "-activeactive")
    (lost.directory / "helper.sock").unlink()
    lost.call("detach", "aa1", "node2").failure("is not whole")
    assert lost.maps("aa1") == ["iscsi-node2"]
