"""A mapping that was there before this boot had recorded it: not used beside a twin, and not taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodeagent.volume import fencing
from tests.agent.bench import until
from tests.agent.helper_peer import IQN, FaultError
from tests.agent.reconciling import clean, node

if TYPE_CHECKING:
    from tests.agent.bench import Bench

__all__ = ["node"]
V, HOST = "pvc-1", "iscsi-node1"
SEEN = "logged in at 2 of its nodes, and this machine has sessions with 0"


@pytest.fixture
def shared(node: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A machine with this one's InitiatorName and name writes to pvc-1; this one has no record of it."""
    monkeypatch.setattr(fencing, "PAUSE_SECONDS", 0.1)
    node.create(V)
    node.make_host(HOST)
    node.map(V, HOST)
    node.do("logins", port=IQN, nodes=[1, 2])
    node.reset()
    return node


def stays(bench: Bench) -> bool:
    return bench.maps(V) == [HOST] and "rmvdiskhostmap" not in bench.commands()


def test_a_volume_that_a_twin_uses_is_not_attached_and_both_names_and_the_mend_are_said(
    shared: Bench,
) -> None:
    said = shared.attach(V).failure(SEEN)
    assert f"{IQN} (host object {HOST})" in said
    assert "/etc/iscsi/initiatorname.iscsi" in said
    assert shared.records() == {}
    assert "Attach" not in shared.helper.verbs()
    assert stays(shared)


def test_it_is_attached_once_the_array_has_missed_sessions_that_were_this_machines_own(shared: Bench) -> None:
    shared.attach(V).failure(SEEN)
    shared.do("logins", port=IQN, nodes=[])
    shared.attach(V).success()
    (record,) = shared.records().values()
    assert record["boot_id"] == "11111111-boot"
    until(lambda: clean(shared, V))


def test_a_twins_disk_that_this_kernel_has_found_is_not_used_either(shared: Bench) -> None:
    (uid,) = (row["uid"].lower() for row in shared.do("volumes"))
    shared.helper.devices[uid] = "/dev/disk/by-id/x"
    shared.attach(V).failure(SEEN)
    assert shared.records() == {}
    assert stays(shared)


def test_an_attach_that_fails_leaves_a_mapping_that_it_did_not_make(shared: Bench) -> None:
    shared.do("logins", port=IQN, nodes=[])
    shared.helper.script("Attach", fault=FaultError("no-path", "No path came up."))
    shared.attach(V).failure("No path came up")
    assert shared.records() == {}
    assert stays(shared)


def test_a_copied_record_lets_nobody_use_or_take_what_its_first_owner_writes_to(
    shared: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shared.do("logins", port=IQN, nodes=[])
    shared.use(V)

    def copied() -> None:
        shared.helper.devices.clear()
        shared.helper.mounts.clear()
        shared.set_boot("22222222-boot")
        shared.do("logins", port=IQN, nodes=[1, 2])
        shared.reset()

    shared.restart(copied)
    shared.attach(V).failure(SEEN)
    caplog.clear()
    shared.restart()
    until(lambda: "stays mapped to this host" in caplog.text)
    assert stays(shared)


def test_an_agent_that_was_killed_before_it_mapped_takes_nothing_from_its_twin(
    shared: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shared.do("logins", port=IQN, nodes=[])
    shared.attach(V).success()
    shared.stop()
    (record,) = shared.records().values()
    assert record["boot_id"] == "11111111-boot"
    shared.helper.devices.clear()  # this kernel never had it, and the mapping is the other machine's
    shared.do("logins", port=IQN, nodes=[1, 2])
    shared.reset()
    shared.start()
    until(lambda: "stays mapped to this host" in caplog.text)
    assert stays(shared)


def test_what_a_lost_answer_may_have_mapped_is_taken_down_later_when_the_attach_fails(node: Bench) -> None:
    node.create(V)
    node.do("fault", command="mkvdiskhostmap", after="connection")
    node.helper.script("Attach", fault=FaultError("no-path", "No path came up."))
    node.attach(V).failure("No path came up")
    until(lambda: clean(node, V), 30)


def test_of_a_mapping_whose_twin_this_machines_own_sessions_may_hide_that_is_said(
    shared: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nodeagent.volume.twin.nodes", lambda *_: 2)
    shared.attach(V).success()
    assert "no record of this boot says by whom" in caplog.text


def test_a_volume_that_this_call_has_mapped_is_not_asked_about(node: Bench) -> None:
    node.create(V)
    node.create("warm")
    node.attach("warm").success()
    node.do("logins", port=IQN, nodes=[1, 2])
    node.reset()
    node.attach(V).success()
    assert "lshost" not in node.commands()
