"""What `doctor` says of the array's side of a node, its login and a volume: each is broken there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import ACTIVE_ACTIVE, GIB
from tests.arrays.test_host_keys import ED25519_KIND, other_key

if TYPE_CHECKING:
    from tests.ctl.node import Node

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]


def only(node: Node, *arguments: str) -> dict[str, str]:
    (found,) = node.found(*arguments)
    return found


def told(found: dict[str, str]) -> tuple[str, str, str, str]:
    return found["code"], found["severity"], found["who"], found["command"]


def test_an_array_whose_address_nobody_answers_is_an_error(node: Node) -> None:
    node.configure(
        storage="- name: gone\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"
    )
    found = only(node)
    once = "instoragectl arrays, once gone can answer"
    assert (found["check"], *told(found)) == ("arrays", "array-unreachable", "error", "san", once)
    assert "127.0.0.1:1" in found["sentence"]


def test_an_array_with_another_host_key_is_an_error(node: Node) -> None:
    node.in_use("vol1")
    pinned = f"{ED25519_KIND} {other_key().get_base64()}"
    (node.paths.state / "known_hosts").write_text(f"[127.0.0.1]:{node.port} {pinned}\n")
    found = only(node)
    once = "instoragectl arrays, once storage-01 can answer"
    assert (found["check"], *told(found)) == ("arrays", "array-host-key", "error", "array", once)
    assert "known_hosts" in found["sentence"]


def test_an_array_without_a_free_ssh_session_is_an_error(node: Node) -> None:
    node.stop()  # the agent's own connection is closed
    node.array.close()
    gate = node.simulator._server._gate
    gate._active += gate.limits.active  # those of others
    found = [one for one in node.found() if one["check"] == "arrays"]
    gate._active -= gate.limits.active
    once = "instoragectl arrays, once storage-01 can answer"
    assert [told(one) for one in found] == [("array-sessions", "error", "array", once)]
    assert "All SSH sessions of array storage-01" in found[0]["sentence"]
    node.start()
    assert node.found() == []


def test_a_volume_that_is_offline_is_the_arrays(node: Node) -> None:
    node.in_use("vol1")
    node.do("vdisk-status", volume="vol1", status="offline")
    found = only(node, "--volume", "vol1")
    see = "see the pool and the drives of the array"
    assert told(found) == ("volume-offline", "error", "array", see)
    assert "Volume vol1 is offline on array storage-01." in found["sentence"]


def test_an_active_active_volume_that_lost_a_site_is_degraded(node: Node) -> None:
    node.create("vol1", **ACTIVE_ACTIVE)
    node.use("vol1")
    node.age()
    assert node.found("--volume", "vol1") == []
    node.do("site", site=2, up=False)
    found = only(node, "--volume", "vol1")
    assert told(found) == ("volume-degraded", "warning", "array", "lsvdisk vol1")
    assert "is down" in found["sentence"]


def test_a_volume_that_grew_on_the_array_alone_is_told_of(node: Node) -> None:
    node.in_use("vol1")
    node.do("resize", volume="vol1", size=2 * GIB)
    found = only(node, "--volume", "vol1")
    see = "see the claim's conditions: kubectl describe pvc"
    assert told(found) == ("size-behind", "warning", "kubernetes", see)
    assert f"has {2 * GIB} bytes on array storage-01, and {GIB} on this node" in found["sentence"]


def test_what_the_configuration_leaves_to_be_guessed_is_a_note(node: Node) -> None:
    text = node.paths.configuration.read_text()
    node.write_configuration(text.replace("  type: AS18000\n", ""))
    (note,) = [one for one in node.doctor()["findings"] if one["check"] == "configuration"]
    assert (note["code"], note["severity"]) == ("configuration-warning", "ok")
    assert "storage[0].type is missing and taken as AS18000" in note["sentence"]
    assert node.found() == []
