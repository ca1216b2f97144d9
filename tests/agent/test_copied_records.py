"""A machine that starts with records of another one, or of its own past, takes no volume from who writes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from nodeagent.host import sessions
from nodeagent.host.sessions import Session
from nodeagent.volume import fencing, proof
from tests.agent.bench import until
from tests.agent.helper_peer import IQN
from tests.agent.reconciling import clean, node

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.bench import Bench

__all__ = ["node"]
V, HOST, NEW = "pvc-1", "iscsi-node1", "iqn.1993-08.org.debian:01:new"


@pytest.fixture
def writing(node: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """node1 writes to pvc-1, logged in at both nodes of the array."""
    monkeypatch.setattr(fencing, "PAUSE_SECONDS", 0.1)
    node.create(V)
    node.use(V)
    node.do("logins", port=IQN, nodes=[1, 2])
    return node


@pytest.fixture
def machine(writing: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say with which of the array's nodes this machine has sessions."""

    def sets(*nodes: int) -> None:
        targets = [target for target in writing.array.iscsi_targets() if int(target.iqn[-1]) in nodes]
        found = [Session(str(n), one.iqn, str(one.portal), "LOGGED_IN") for n, one in enumerate(targets)]
        monkeypatch.setattr(sessions, "sessions", lambda _: found)

    return sets


def boots(bench: Bench, iqn: str, name: str = "node1", *, wait: bool = True) -> None:
    """A machine with a copy of node1's disk boots, with a kernel of its own; node1 itself goes on writing."""

    def other() -> None:
        bench.helper.devices.clear()
        bench.helper.mounts.clear()
        bench.helper.iqn = iqn
        bench.set_boot("22222222-boot")
        text = bench.paths.configuration.read_text()
        bench.write_configuration(text.replace("nodeName: node1", f"nodeName: {name}"))
        bench.reset()

    bench.restart(other)
    if wait:
        assert bench.agent._reconciler.wait_settled(20)


def stays(bench: Bench) -> bool:
    return bench.maps(V) == [HOST] and "rmvdiskhostmap" not in bench.commands()


def ports(bench: Bench, *commands: str) -> None:
    for command in commands:
        verb, iqn = command.split()
        bench.array._cli.operate(verb, "-force", "-iscsiname", iqn, HOST)


def test_a_clone_with_names_of_its_own_leaves_the_volumes_of_the_machine_it_was_copied_from(
    writing: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    boots(writing, NEW, "node2")
    assert stays(writing)
    assert f"logged in, so the node lives ({IQN}" in caplog.text
    assert f"remove {writing.paths.state / 'volumes'}" in caplog.text


def test_a_repaired_machine_whose_place_another_one_has_taken_leaves_its_volumes(writing: Bench) -> None:
    ports(writing, f"addhostport {NEW}", f"rmhostport {IQN}")
    writing.do("logins", port=NEW, nodes=[1, 2])
    boots(writing, IQN)
    assert stays(writing)


def test_so_it_does_while_the_object_still_has_its_port_beside_the_new_ones(writing: Bench) -> None:
    ports(writing, f"addhostport {NEW}")
    writing.do("logins", port=IQN, nodes=[])
    writing.do("logins", port=NEW, nodes=[1])
    boots(writing, IQN)
    assert stays(writing)


def test_a_clone_with_the_same_initiator_name_leaves_the_volumes_of_its_twin(
    writing: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    boots(writing, IQN)
    assert stays(writing)
    assert "logged in at 2 of its nodes, and this machine has sessions with 0" in caplog.text


def test_so_it_does_when_sessions_that_its_pods_opened_since_hide_the_twins(
    writing: Bench, machine: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    boots(writing, IQN)
    machine(1, 2)
    caplog.clear()
    writing.restart()
    until(lambda: "stays mapped" in caplog.text)
    assert stays(writing)


def test_sessions_from_before_a_reset_keep_a_volume_only_until_the_array_has_missed_them(
    writing: Bench, machine: Callable[..., None]
) -> None:
    machine()
    boots(writing, IQN)
    assert stays(writing)
    writing.do("logins", port=IQN, nodes=[])
    until(lambda: clean(writing, V), 20)


def test_a_twin_that_is_logged_out_for_a_moment_keeps_its_volumes(
    writing: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    boots(writing, IQN)

    def back(_: float) -> None:
        writing.do("logins", port=IQN, nodes=[1])

    monkeypatch.setattr(proof, "time", SimpleNamespace(sleep=back))
    writing.do("logins", port=IQN, nodes=[])
    writing.restart()
    assert writing.agent._reconciler.wait_settled(20)
    assert stays(writing)


def test_a_machine_whose_initiator_name_was_changed_gets_what_it_left_away(writing: Bench) -> None:
    writing.do("logins", port=IQN, nodes=[])
    boots(writing, NEW, wait=False)
    until(lambda: clean(writing, V), 20)


def test_a_machine_without_an_initiator_name_unmaps_nothing(writing: Bench) -> None:
    boots(writing, None)  # type: ignore[arg-type]
    assert stays(writing)


def test_a_mapping_that_the_array_does_not_show_is_not_removed_by_a_copied_record(writing: Bench) -> None:
    writing.do("fault", command="lsvdiskhostmap", empty=True, times=0)
    boots(writing, NEW, "node2")
    assert stays(writing)


def test_an_ordinary_reboot_costs_one_look_at_the_object(writing: Bench) -> None:
    writing.do("logins", port=IQN, nodes=[])
    boots(writing, IQN, wait=False)
    until(lambda: clean(writing, V), 20)
    ours = [one for one in writing.commands() if one in ("lshost", "lsvdiskhostmap", "rmvdiskhostmap")]
    first = ours[: ours.index("rmvdiskhostmap") + 1]
    assert first == ["lsvdiskhostmap", "lshost", "rmvdiskhostmap"]
