"""What others did to this node's volumes while nobody looked: each found, explained, and left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from nodeagent.host import sessions
from nodeagent.host.sessions import Session
from nodeagent.recovery import comparisons, namesake
from tests.agent.bench import GIB, Bench, compared, device_target, pod_target, until
from tests.arrays.administrator import order

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER, IQN = "iscsi-node2", "iqn.1993-08.org.debian:01:node2"


@pytest.fixture
def used(bench: Bench, caplog: pytest.LogCaptureFixture) -> Bench:
    """Volume vol1 is mounted for a pod."""
    bench.create("vol1")
    bench.use("vol1")
    caplog.clear()
    return bench


def take(bench: Bench, volume: str) -> None:
    """Unmap a volume behind the agent's back."""
    bench.array.unmap_volume(VolumeName(volume), "iscsi-node1")


def lines(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if word in record.getMessage()]


def test_a_volume_unmapped_behind_our_back_while_mounted_is_said_and_not_mapped_back(
    used: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    used.restart(lambda: take(used, "vol1"))
    until(lambda: lines(caplog, "unmapped from outside"), 60)
    compared()
    (said,) = lines(caplog, "unmapped from outside")
    assert "end the pod that uses it: the next one gets it anew" in said
    assert used.maps("vol1") == []
    assert used.helper.mounts.keys() == {device_target("vol1"), pod_target("vol1")}
    used.call("unmount", pod_target("vol1")).success()
    used.call("unmountdevice", device_target("vol1")).success()
    used.use("vol1")
    assert used.maps("vol1") == ["iscsi-node1"]


def test_of_one_that_another_node_has_by_now_it_is_said_that_this_one_was_fenced(
    used: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fenced() -> None:
        take(used, "vol1")
        used.make_host(OTHER, IQN)
        used.map("vol1", OTHER)

    used.restart(fenced)
    until(lambda: lines(caplog, "given to iscsi-node2"), 60)
    assert "do not map it back: two hosts would write" in lines(caplog, "given to")[0]
    used.call("unmount", pod_target("vol1")).success()
    used.call("unmountdevice", device_target("vol1")).success()
    assert used.maps("vol1") == [OTHER], "its new node keeps it"


def test_of_one_that_was_deleted_it_is_said_that_it_is_no_more(
    used: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    used.restart(lambda: order(used.simulator, "rmvdisk -force vol1"))
    until(lambda: lines(caplog, "on array storage-01 no more"), 60)
    assert "and deleted" in lines(caplog, "no more")[0]


def test_an_agent_that_was_dead_for_days_says_each_thing_that_happened_and_breaks_nothing(
    used: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("gone", "given", "free", "called", "good"):
        used.create(name)
        used.use(name)
    before = dict(used.helper.mounts)

    def days() -> None:
        for name in ("given", "free"):
            take(used, name)
        order(used.simulator, "rmvdisk -force gone", "chvdisk -name other called")
        used.make_host(OTHER, IQN)
        used.map("given", OTHER)
        used.create("stranger")
        used.map("stranger", "iscsi-node1")
        (used.directory / "state/volumes" / ("6" + "f" * 31)).write_text("{ half")
        caplog.clear()

    used.restart(days)
    wanted = (
        "maps volume stranger to this host",
        "on array storage-01 no more",
        "given to iscsi-node2",
        "no longer maps volume free",
        "is called «other» on array",
        "cannot be used",
    )
    for word in wanted:
        until(lambda word=word: lines(caplog, word), 60)  # type: ignore[misc]
    compared()
    assert {word: len(lines(caplog, word)) for word in wanted} == dict.fromkeys(wanted, 1)
    assert not lines(caplog, "volume good")
    assert used.helper.mounts == before
    assert (used.maps("given"), used.maps("stranger"), used.maps("free")) == ([OTHER], ["iscsi-node1"], [])
    used.expandfs("good", 2 * GIB).success()
    used.attach("vol1").success()


def test_what_cannot_be_found_out_of_one_volume_hides_no_other(
    used: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    uid = used.create("second")
    used.use("second")

    def unmapped() -> None:
        for name in ("vol1", "second"):
            take(used, name)
        used.do("fault", command="lsvdisk", match=uid.upper(), error="CMMVC5982E", times=0)
        caplog.clear()

    used.restart(unmapped)
    until(lambda: lines(caplog, "no longer maps volume vol1"), 60)
    until(lambda: lines(caplog, "What became of a volume that is not mapped any more is not known"), 60)
    assert not lines(caplog, "maps volume second")


def test_what_happens_while_the_agent_runs_is_found_by_the_next_comparison(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(comparisons, "EVERY_SECONDS", 0.5)
    bench.restart()
    bench.create("vol1")
    bench.use("vol1")
    take(bench, "vol1")
    until(lambda: lines(caplog, "no longer maps volume vol1"), 60)
    assert bench.agent._reconciler.idle(), "a look that comes by itself is nothing unfinished"


@pytest.fixture
def machine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say with which of the array's nodes this machine has sessions; the next comparison follows at once."""
    bench.make_host("iscsi-node1")
    monkeypatch.setattr(namesake, "AGAIN_SECONDS", 0.3)

    def sets(*nodes: int) -> None:
        targets = [target for target in bench.array.iscsi_targets() if int(target.iqn[-1]) in nodes]
        found = [Session(str(n), one.iqn, str(one.portal), "FAILED") for n, one in enumerate(targets)]
        monkeypatch.setattr(sessions, "sessions", lambda _: found)

    return sets


def test_another_machine_with_this_ones_initiator_name_is_said_when_two_looks_find_it(
    bench: Bench, machine: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    bench.do("logins", port=bench.helper.iqn, nodes=[1, 2])
    machine(1)
    bench.restart()
    until(lambda: lines(caplog, "another machine uses this one's InitiatorName"), 60)
    said = lines(caplog, "InitiatorName")[0]
    assert "logged in at 2 of its nodes, and this machine has sessions with 1" in said
    assert bench.helper.iqn is not None
    assert bench.helper.iqn in said


@pytest.mark.parametrize("nodes", [(1, 2), (1,), ()])
def test_a_machine_whose_every_login_is_its_own_has_no_namesake(
    bench: Bench, machine: Callable[..., None], caplog: pytest.LogCaptureFixture, nodes: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(comparisons, "EVERY_SECONDS", 0.3)
    bench.do("logins", port=bench.helper.iqn, nodes=list(nodes))
    machine(*nodes)
    bench.restart()
    bench.reset()
    until(lambda: bench.commands().count("lshost") > 4, 60)
    assert not lines(caplog, "InitiatorName")


def test_a_login_that_the_array_had_not_missed_yet_is_nobody(
    bench: Bench,
    machine: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparisons, "EVERY_SECONDS", 0.3)
    monkeypatch.setattr(namesake, "AGAIN_SECONDS", 3.0)
    bench.do("logins", port=bench.helper.iqn, nodes=[1])
    machine()
    bench.restart()
    until(lambda: bench.agent._reconciler._comparisons._suspected, 60)
    bench.do("logins", port=bench.helper.iqn, nodes=[])
    until(lambda: not bench.agent._reconciler._comparisons._suspected, 60)
    bench.do("logins", port=bench.helper.iqn, nodes=[1])
    until(lambda: bench.agent._reconciler._comparisons._suspected, 60)
    assert not lines(caplog, "InitiatorName")
