"""detach by kube-controller-manager: done already, fenced, or refused with the reason."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import NODE, options, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench
    from tests.agent.call import Stub

IQN = "iqn.1993-08.org.debian:01:node2"


@pytest.fixture
def lost(bench: Bench) -> Bench:
    """A volume that node2 has and does not give back."""
    bench.create("vol1")
    bench.make_host("iscsi-node2", IQN)
    bench.map("vol1", "iscsi-node2")
    return bench


def test_an_unmapped_volume_is_detached_already(bench: Bench) -> None:
    bench.create("vol1")
    assert bench.call("detach", "vol1", NODE).success().message == ""


def test_a_volume_that_is_gone_is_detached_already(bench: Bench) -> None:
    bench.call("detach", "vol1", NODE).success()


def test_a_node_that_is_logged_in_keeps_its_volume(lost: Bench) -> None:
    lost.do("logins", port=IQN, nodes=[1])
    message = lost.call("detach", "vol1", "node2").failure("vol1")
    assert "node2" in message
    assert "logged in" in message
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_a_node_that_is_logged_out_is_fenced(lost: Bench) -> None:
    lost.do("logins", port=IQN, nodes=[])
    lost.call("detach", "vol1", "node2").success()
    assert lost.maps("vol1") == []


def test_a_control_planes_host_without_a_helper_fences_as_well(lost: Bench) -> None:
    lost.do("logins", port=IQN, nodes=[])
    (lost.directory / "helper.sock").unlink()
    lost.call("detach", "vol1", "node2").success()
    assert lost.maps("vol1") == []


def test_a_helper_that_does_not_answer_is_no_word_that_nothing_was_broken_off(lost: Bench) -> None:
    lost.do("logins", port=IQN, nodes=[])
    place = lost.directory / "helper.sock"
    place.unlink()
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(place))
        lost.call("detach", "vol1", "node2").failure("instorage-helper")
    assert lost.maps("vol1") == ["iscsi-node2"]


@pytest.mark.parametrize(("fence", "left"), [("always", []), ("never", ["iscsi-node2"])])
def test_the_administrator_can_choose_otherwise(lost: Bench, fence: str, left: list[str]) -> None:
    lost.do("logins", port=IQN, nodes=[1] if fence == "always" else [])
    lost.configure(host=f"  fence: {fence}\n")
    reply = lost.call("detach", "vol1", "node2")
    if left:
        reply.failure("host.fence is never")
    else:
        reply.success()
    assert lost.maps("vol1") == left


def test_a_host_that_no_rule_gives_to_the_node_is_named_and_left(lost: Bench) -> None:
    reply = lost.call("detach", "vol1", "node3").success()
    assert "iscsi-node2" in reply.message
    assert lost.maps("vol1") == ["iscsi-node2"]


def test_the_table_of_host_objects_is_followed(bench: Bench) -> None:
    bench.create("vol1")
    bench.make_host("esx-17", IQN)
    bench.map("vol1", "esx-17")
    bench.do("logins", port=IQN, nodes=[])
    bench.configure(host="  objects:\n    node2: esx-17\n")
    bench.call("detach", "vol1", "node2").success()
    assert bench.maps("vol1") == []


@pytest.mark.slow
def test_a_silent_array_is_no_success_unless_another_has_the_volume(lost: Bench) -> None:
    lost.do("logins", port=IQN, nodes=[])
    lost.configure(
        storage="- name: gone\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"
    )
    lost.call("detach", "nosuch", "node2").failure("gone")
    lost.call("detach", "vol1", "node2").success()
    assert lost.maps("vol1") == []


@pytest.mark.slow
def test_an_array_that_says_nothing_does_not_hold_the_others_up(
    lost: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.calls.detach.SILENT_SECONDS", 0.5)
    lost.do("logins", port=IQN, nodes=[])
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        lost.configure(
            storage=f"- name: mute\n  type: AS18000\n  host: 127.0.0.1:{port}\n  username: u\n  password: p\n"
        )
        lost.call("detach", "nosuch", "node2").failure("Array mute did not answer")
        assert lost.call("detach", "vol1", "node2").success().seconds < 5
    assert lost.maps("vol1") == []


def test_nothing_is_unmapped_after_the_caller_has_left(lost: Bench) -> None:
    lost.do("logins", port=IQN, nodes=[])
    lost.do("fault", command="lshost", delay=0.5)
    stub: Stub = lost.begin("detach", "vol1", "node2")
    until(lambda: any("logged in" in line for line in stub.progress))
    stub.leave()
    until(lambda: lost.agent.server.calls == 0)
    assert lost.maps("vol1") == ["iscsi-node2"]
    assert "rmvdiskhostmap" not in lost.commands()


def test_a_detach_waits_for_the_nodes_own_attach(bench: Bench) -> None:
    bench.create("vol1")
    gate = threading.Event()
    script = bench.helper.script("Attach", gate=gate)
    attach = bench.begin("waitforattach", NODE, options("vol1"))
    assert script.reached.wait(10)
    detach = bench.begin("detach", "vol1", NODE)
    until(lambda: any("waiting for waitforattach" in line for line in detach.progress))
    assert bench.maps("vol1")
    gate.set()
    attach.reply().success()
    bench.do("logins", port=bench.helper.iqn, nodes=[1])
    assert detach.reply().status in (0, 1)
