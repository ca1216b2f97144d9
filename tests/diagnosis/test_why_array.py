"""`instoragectl why` where an array is in the way: away, full of sessions, slow, without the volume."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nodeagent.diagnosis import remedy
from tests.agent.bench import options
from tests.diagnosis.inspected import of_place

if TYPE_CHECKING:
    import pytest

    from tests.diagnosis.inspected import Node


def test_an_array_without_a_free_ssh_session(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.diagnosis.mapping.LOOK_SECONDS", 2.0)
    gate = node.bench.simulator._server._gate
    node.bench.restart()  # the agent's own connection is closed
    gate._active += gate.limits.active  # those of others
    waiting = node.bench.begin("waitforattach", "node1", options("vol1"))
    began = time.monotonic()
    found = node.why()
    assert time.monotonic() - began < 10, "why waits no longer than it must"
    gate._active -= gate.limits.active
    waiting.reply(60).success()
    (said,) = of_place(found, "array", "wrong")
    assert "All SSH sessions of array storage-01" in said
    assert "end what keeps sessions open" in said
    assert (found["links"][found["first"]]["sentence"], found["who"]) == (said, "array")
    assert found["do"] == "instoragectl arrays"
    assert of_place(node.why(), "array", "wrong") == []


def test_a_slow_array_is_called_slow(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.diagnosis.mapping.SLOW_SECONDS", 0.3)
    node.bench.do("fault", command="lsvdisk", times=0, delay=0.5)
    found = node.why()
    assert any("is slow" in one for one in of_place(found, "array", "waits"))
    assert (found["who"], found["do"]) == ("array", "instoragectl times --since -1h")


def test_a_management_network_that_is_down(node: Node) -> None:
    node.bench.configure(
        storage="- name: gone\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"
    )
    node.bench.attach("vol1", options("vol1", storageName="gone")).failure()
    found = node.why()
    assert "127.0.0.1:1" in found["sentence"]
    assert (found["who"], found["do"]) == ("node", "instoragectl arrays")


def test_a_wrong_password(node: Node) -> None:
    node.bench.configure(password="wrong")
    said = node.bench.attach("vol1").failure()
    found = node.why()
    assert found["links"][found["first"]]["sentence"] in said, "the same sentence as kubelet's event"
    assert (found["who"], found["do"]) == ("node", remedy.CHECK)
    assert any("was not asked" in one for one in of_place(found, "array", "wrong"))


def test_a_volume_that_is_not_on_the_array(node: Node) -> None:
    node.bench.attach("nosuch").failure()
    found = node.why("nosuch")
    assert "Array storage-01 has no volume nosuch" in found["sentence"]
    assert found["who"] == "array"
    assert found["do"] == "mcsinq lsvdisk -filtervalue name=nosuch"


def test_an_offline_volume_of_a_full_pool_and_others_are_the_arrays(node: Node) -> None:
    found = node.why()
    assert any("mapped to no host" in one for one in of_place(found, "array", "right"))
    assert any("Pool Pool0 has" in one for one in of_place(found, "array", "right"))
    assert found["first"] is None
