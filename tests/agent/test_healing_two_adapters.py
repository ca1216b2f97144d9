"""Two adapters that see one target port make two paths; a port that the array has no more is settled."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from simulator.model.topology import Node, Topology
from tests.agent.bench import until
from tests.agent.path_world import LONG, said
from tests.agent.simulated_array import WWPNS

if TYPE_CHECKING:
    from tests.agent.fabric import Fabric

FIRST, SECOND = (wwpn.lower() for wwpn in WWPNS)


class Replaced(Topology):
    """Node 2 has another canister, and so other names for its ports."""

    @property
    def nodes(self) -> list[Node]:
        """All nodes, by id."""
        return [
            dataclasses.replace(node, wwnn=f"{node.wwnn[:-1]}A") if node.id == 2 else node
            for node in super().nodes
        ]


def well(fabric: Fabric) -> bool:
    return fabric.bench.agent.healer._pause() is None


def looked(fabric: Fabric, times: int = 5) -> None:
    looks = fabric.bench.agent.healer.looks
    until(lambda: fabric.bench.agent.healer.looks > looks + times, LONG)


def test_a_path_by_one_of_two_adapters_is_lost_until_it_is_there_again(
    fabric: Fabric, caplog: pytest.LogCaptureFixture
) -> None:
    """The other adapter's path leads to the very same port: that is not this one, back."""
    fabric.log_in(1, 1)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    until(lambda: well(fabric), LONG)
    fabric.state(0, 1, "Blocked")
    fabric.look()
    until(lambda: said(caplog, "is lost for volume pvc-1"), LONG)
    fabric.drop(0, 1)
    looked(fabric)
    assert not said(caplog, "is back for"), "it is gone"
    assert not well(fabric)
    (lost,) = said(caplog, "is lost for")
    assert f"(adapter {FIRST})" in lost
    assert "One path is left of 2" in lost
    fabric.state(0, 1, "Online")
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    until(lambda: said(caplog, "is back for volume pvc-1"), LONG)
    until(lambda: well(fabric), LONG)


def replaced(fabric: Fabric, caplog: pytest.LogCaptureFixture) -> None:
    """The volume's second path leads to a canister that is replaced; its disk is gone by then."""
    fabric.log_in(1, 2)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    until(lambda: well(fabric), LONG)
    fabric.bench.do("logins", port=WWPNS[1], nodes=[])
    fabric.drop(1, 2)
    fabric.look()
    until(lambda: said(caplog, "is lost for volume pvc-1"), LONG)
    engine = fabric.bench.simulator.engine
    named = {field.name: getattr(engine.topology, field.name) for field in dataclasses.fields(Topology)}
    engine.topology = Replaced(**named)


def test_a_port_that_the_array_lists_no_more_is_not_waited_for(
    fabric: Fabric, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.recovery.lane.ASK_SECONDS", 0.2)
    replaced(fabric, caplog)
    until(lambda: said(caplog, "is not waited for, for volume pvc-1"), LONG)
    until(lambda: well(fabric), LONG)
    assert len(said(caplog, "is not waited for")) == 1
    assert not said(caplog, "is back for")


@pytest.mark.parametrize("silent", ["lsportfc", "lstargetportfc"])
def test_a_port_of_which_the_array_does_not_speak_is_waited_for(
    fabric: Fabric, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """Half a list, and none, may lack what is there."""
    monkeypatch.setattr("nodeagent.recovery.lane.ASK_SECONDS", 0.2)
    monkeypatch.setattr("nodeagent.recovery.lane.LONGEST_SECONDS", 0.2)
    fabric.bench.do("fault", command=silent, times=0, error="CMMVC5982E")
    replaced(fabric, caplog)
    fabric.bench.reset()
    until(lambda: fabric.bench.commands().count(silent) > 2, LONG)
    assert not said(caplog, "is not waited for")
    fabric.bench.do("clear")
    until(lambda: said(caplog, "is not waited for"), LONG)
