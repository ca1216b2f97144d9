"""kube-controller-manager's detach never takes an active-active volume that is not whole from its node.

The agent beside it is on a control plane's host: no helper, no record of an expansion, no barrier file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.expansion import Step
from nodeagent.volume import fencing
from tests.agent.bench import GIB, NODE
from tests.agent.expanding import VOLUME, Pair

if TYPE_CHECKING:
    from tests.agent.bench import Bench

pytestmark = pytest.mark.usefixtures("hasty")
BROKEN_OFF = [step for step in Step if step not in (Step.UNTIE, Step.START)]
SPARE = {"pools": ("Pool1",), "io_groups": ("1",)}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fencing, "PAUSE_SECONDS", 0.05)


def as_control_plane(bench: Bench, fence: str = "node-lost") -> None:
    """Have the agent be one that knows the array and nothing else; the node is off."""
    bench.write_configuration(
        f"host: {{link: iscsi, nodeName: control, fence: {fence}}}\nstorage:\n- name: storage-01\n"
        f"  type: AS18000\n  host: 127.0.0.1:{bench.port}\n  username: superuser\n  password: passw0rd\n"
    )
    for path in bench.directory.glob("plugin/*.barrier"):
        path.unlink()
    (bench.directory / "helper.sock").unlink()
    bench.do("logins", port=bench.helper.iqn, nodes=[])


@pytest.mark.parametrize("step", BROKEN_OFF)
def test_a_volume_whose_expansion_was_broken_off_stays_mapped(pair: Pair, step: Step) -> None:
    pair.break_off(step)
    as_control_plane(pair.bench)
    sentence = pair.bench.call("detach", VOLUME, NODE).failure(f"barrier plan {VOLUME}")
    assert VOLUME in sentence
    assert pair.bench.maps(VOLUME) == ["iscsi-node1"]


def test_fencing_always_does_not_take_half_a_volume_either(pair: Pair) -> None:
    pair.break_off(Step.GROW_AUX)
    as_control_plane(pair.bench, fence="always")
    pair.bench.call("detach", VOLUME, NODE).failure("active-active")
    assert pair.bench.maps(VOLUME) == ["iscsi-node1"]


def test_a_relationship_that_somebody_removed_by_hand_keeps_it_mapped(pair: Pair) -> None:
    (name,) = {row["name"] for row in pair.bench.array._cli.rows("lsrcrelationship")}
    pair.bench.array._cli.operate("rmrcrelationship", name)
    as_control_plane(pair.bench)
    sentence = pair.bench.call("detach", VOLUME, NODE).failure("may be the master of an active-active")
    assert "instoragectl release vol1 --from node1" in sentence
    assert pair.bench.maps(VOLUME) == ["iscsi-node1"]


def test_a_whole_one_is_taken_from_a_node_that_is_gone(pair: Pair) -> None:
    as_control_plane(pair.bench)
    pair.bench.call("detach", VOLUME, NODE).success()
    assert pair.bench.maps(VOLUME) == []


def test_a_whole_one_is_taken_also_when_the_other_site_is_lost(pair: Pair) -> None:
    pair.bench.do("replication", volume=VOLUME, state="consistent_stopped")
    as_control_plane(pair.bench)
    pair.bench.call("detach", VOLUME, NODE).success()
    assert pair.bench.maps(VOLUME) == []


def test_unused_volumes_of_claims_are_not_taken_for_parts_of_another(bench: Bench) -> None:
    """Of a scaled-down StatefulSet, thin, on both sites and of one size."""
    for number in range(4):
        kind: dict[str, Any] = SPARE if number % 2 else {}
        bench.create(f"pvc-0000000{number}-0000-4000-8000-000000000000", **kind)
    bench.create(VOLUME)
    bench.make_host("iscsi-node1")
    bench.map(VOLUME, "iscsi-node1")
    as_control_plane(bench)
    bench.call("detach", VOLUME, NODE).success()
    assert bench.maps(VOLUME) == []


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(((SPARE, GIB), (SPARE, GIB)), id="none on its own site"),
        pytest.param((({}, GIB), ({}, GIB), (SPARE, GIB)), id="one on the other site"),
        pytest.param((({}, GIB), (SPARE, 2 * GIB), (SPARE, 3 * GIB)), id="of three sizes"),
        pytest.param((({}, 3 * GIB), (SPARE, 3 * GIB), (SPARE, 3 * GIB)), id="all larger"),
    ],
)
def test_other_unused_volumes_that_could_be_no_four_do_not_keep_it(
    bench: Bench, others: tuple[tuple[dict[str, Any], int], ...]
) -> None:
    for number, (kind, size) in enumerate(others):
        bench.create(f"spare{number}", size=size, **kind)
    bench.create(VOLUME)
    bench.make_host("iscsi-node1")
    bench.map(VOLUME, "iscsi-node1")
    as_control_plane(bench)
    bench.call("detach", VOLUME, NODE).success()
    assert bench.maps(VOLUME) == []


def test_a_plain_volume_is_not_kept_for_parts_that_a_record_here_names(pair: Pair) -> None:
    """A node that expands, or broke off, knows whose they are; a control plane keeps what may be a master."""
    bench = pair.bench
    pair.break_off(Step.GROW_AUX)
    bench.create("vol2")
    bench.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    bench.map("vol2", "iscsi-node2")
    bench.do("logins", port="iqn.1993-08.org.debian:01:node2", nodes=[])
    bench.call("detach", "vol2", "node2").success()
    assert bench.maps("vol2") == []
    assert bench.maps(VOLUME) == ["iscsi-node1"]
