"""`instoragectl why` on a node: each fault is made, kubelet's call fails or waits, the sentence names it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration import ctl
from tests.agent.bench import Bench, device_target, options
from tests.agent.conftest import loopback
from tests.agent.helper_peer import IQN
from tests.diagnosis.inspected import Node, of_place, prepared, reached
from tests.diagnosis.recorded import VOLUME, serving, waiting

if TYPE_CHECKING:
    from pathlib import Path


def test_a_san_network_that_is_down(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(directory, {1: f"{loopback()}:3260", 2: f"{loopback()}:3260"})
    bench.start()
    node = prepared(bench, monkeypatch, capsys)
    bench.create("vol1")
    bench.attach("vol1").failure()
    found = node.why()
    bench.close()
    assert "No iSCSI portal of the array can be reached" in found["sentence"]
    assert (found["who"], found["do"]) == ("san", "instoragectl doctor --volume vol1")


def test_a_volume_that_a_dead_node_has(node: Node) -> None:
    node.bench.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    node.bench.map("vol1", "iscsi-node2")
    node.bench.do("logins", port="iqn.1993-08.org.debian:01:node2", nodes=[])
    node.bench.attach("vol1").failure("iscsi-node2")
    found = node.why()
    looked = "kubectl get pods -A -o wide --field-selector spec.nodeName=node2"
    assert (found["who"], found["do"]) == ("kubernetes", looked)
    assert "instoragectl release vol1 --from node2. It takes nothing from a node that" in found["sentence"]
    released = [one["command"] for one in found["links"] if "not logged in" in one["sentence"]]
    assert released == ["instoragectl release vol1 --from node2"]
    assert any("not logged in" in one for one in of_place(found, "array", "wrong"))


def test_a_pv_that_is_not_signed(node: Node) -> None:
    node.bench.configure(host="  volumeKey:\n  - ed25519:" + "A" * 43 + "=\n")
    node.bench.create(VOLUME)
    node.bench.attach(VOLUME).failure("[not-signed]")
    found = node.why(VOLUME)
    assert (found["who"], found["do"]) == ("kubernetes", "instoragectl adopt")


def test_a_barrier_file(node: Node) -> None:
    (node.bench.directory / "plugin/aa-extend-failure.barrier").write_text("of the vendor\n")
    node.bench.attach("vol1").failure("[barrier]")
    found = node.why()
    assert (found["who"], found["do"]) == ("node", "instoragectl barrier plan")
    assert any("stops attach and detach" in one for one in of_place(found, "agent", "wrong"))


def test_a_call_under_way_says_its_phase_and_since_when(node: Node) -> None:
    gate = threading.Event()
    script = node.bench.helper.script("Attach", gate=gate)
    call = node.bench.begin("waitforattach", "node1", options("vol1"))
    assert script.reached.wait(30)
    found = node.why()
    gate.set()
    call.reply(60).success()
    assert "The agent is at waitforattach: waiting for the device over 2 paths" in found["sentence"]
    op = node.bench.helper.last("Attach")["op"]
    assert (found["who"], found["do"]) == ("nobody", f"journalctl INSTORAGE_OP={op}")
    assert found["links"][found["first"]]["since"] > 0


@pytest.mark.subprocess
def test_on_the_pods_node_it_is_known_that_kubelet_has_not_asked(node: Node) -> None:
    node.bench.create(VOLUME)
    reached(node, waiting(serving()))
    found = node.why("default/web")
    assert "kubelet of this node has not asked for the volume" in found["sentence"]
    assert (found["who"], found["do"]) == ("node", f"journalctl -u kubelet --since -1h | grep {VOLUME}")


def test_what_is_out_of_reach_is_said_and_never_called_right(node: Node) -> None:
    node.bench.stop()
    node.bench.socket.unlink()
    found = node.why()
    assert any("There is no agent on this host" in one for one in of_place(found, "agent", "unseen"))
    assert any("The PV could not be read" in one for one in of_place(found, "PV", "unseen"))
    assert "could not be looked at" in found["sentence"]
    assert "works" not in found["sentence"]


def test_only_kubernetes_knows_a_claim_and_it_is_said_where_to_ask(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl.main(["why", "default/data"]) == 1
    assert "name the volume itself, or run this where kubectl works" in capsys.readouterr().err


def test_tree_has_an_age_and_a_proof_a_line_and_why_names_the_sources(node: Node) -> None:
    node.bench.use("vol1")
    node.bench.do("logins", port=IQN, nodes=[1, 2])
    (uid,) = node.bench.records()
    tree = node.text("tree", "vol1")
    record = node.bench.directory / f"state/volumes/{uid}"
    assert f"[{record}, " in tree
    assert "lsvdiskhostmap vol1 on storage-01" in tree
    assert "is mapped to host iscsi-node1 (this node) as LUN" in tree
    assert f"read from {record}" in node.text("why", "vol1", "--proof")
    assert "read from" not in node.text("why", "vol1")


def test_the_agent_says_what_it_does_and_what_fails_over_its_socket(bench: Bench) -> None:
    bench.attach("nosuch").failure()
    bench.attach("nosuch").failure()
    answer = bench.call("underway").answer
    (trouble,) = answer["trouble"]
    assert (trouble["thing"], trouble["code"]) == ("waitforattach of nosuch", "volume-missing")
    assert trouble["times"] == "2"
    assert answer["underway"] == []
    bench.create("nosuch")
    bench.attach("nosuch").success()
    assert bench.call("underway").answer["trouble"] == []


def test_no_secret_is_in_what_is_said(node: Node) -> None:
    node.bench.do("password", password="S3CRETMARK")
    node.bench.configure(password="S3CRETMARK")
    node.bench.use("vol1")
    assert "S3CRETMARK" not in json.dumps(node.why()) + node.text("tree", "vol1")
    assert device_target("vol1") in str(node.bench.records())
