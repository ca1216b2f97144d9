"""Fencing a node over Fibre Channel: its HBA stays logged in while its machine hangs or boots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import compared, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench

FIRST, SECOND = "2100001B32A1B2C3", "2100001B32A1B2C4"
IQN = "iqn.1993-08.org.debian:01:node2"
HOST = "fc-node2"


def operate(bench: Bench, *words: str) -> None:
    """Give the array a command as its administrator does."""
    bench.array._cli.operate(*words)


@pytest.fixture
def lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A volume that node2 has over two HBA ports, both logged out."""
    monkeypatch.setattr("nodeagent.volume.fencing.PAUSE_SECONDS", 0.6)
    bench.create("vol1")
    operate(bench, "mkhost", "-force", "-hbawwpn", f"{FIRST}:{SECOND}", "-name", HOST)
    bench.map("vol1", HOST)
    bench.configure(host=f"  objects:\n    node2: {HOST}\n")
    bench.do("logins", port=FIRST, nodes=[])
    compared()  # its own commands are not counted
    bench.reset()
    return bench


def test_a_node_whose_every_hba_port_is_out_is_looked_for_twice_in_both_answers_and_fenced(
    lost: Bench,
) -> None:
    lost.call("detach", "vol1", "node2").success()
    assert lost.maps("vol1") == []
    looked = [name for name in lost.commands() if name in ("lshost", "lsfabric")]
    assert looked.count("lshost") == 2
    # both ports, in both looks, an empty answer asked for twice
    assert looked.count("lsfabric") == 8


@pytest.mark.parametrize("port", [FIRST, SECOND])
def test_one_port_that_is_logged_in_keeps_every_volume_and_the_sentence_says_the_ways_out(
    lost: Bench, port: str
) -> None:
    lost.do("logins", port=port, nodes=[1])
    said = lost.call("detach", "vol1", "node2").failure("is logged in")
    assert port.lower() in said
    assert "stays logged in while its machine hangs" in said
    assert "power it off" in said
    assert "zoning" in said
    assert f"mcsop rmhostport -hbawwpn {port} {HOST}" in said
    assert "is lost" in said
    assert lost.maps("vol1") == [HOST]


def test_a_port_that_comes_back_between_both_looks_keeps_its_volume(lost: Bench) -> None:
    stub = lost.begin("detach", "vol1", "node2")
    until(lambda: "lsfabric" in lost.commands())
    lost.do("logins", port=SECOND, nodes=[2])
    assert SECOND.lower() in stub.reply().failure("is logged in")
    assert lost.maps("vol1") == [HOST]


@pytest.mark.parametrize("fibre", [[], [1]])
@pytest.mark.parametrize("iscsi", [[], [1]])
def test_a_host_object_with_both_kinds_of_ports_is_out_when_all_are(
    lost: Bench, fibre: list[int], iscsi: list[int]
) -> None:
    operate(lost, "addhostport", "-force", "-iscsiname", IQN, HOST)
    lost.do("logins", port=SECOND, nodes=fibre)
    lost.do("logins", port=IQN, nodes=iscsi)
    reply = lost.call("detach", "vol1", "node2")
    if fibre or iscsi:
        reply.failure("is logged in")
    else:
        reply.success()
    assert lost.maps("vol1") == ([HOST] if fibre or iscsi else [])


@pytest.mark.parametrize("command", ["lshost", "lsfabric"])
def test_an_answer_that_the_array_refuses_is_no_proof(lost: Bench, command: str) -> None:
    lost.do("fault", command=command, error="CMMVC5782E", times=0)
    lost.call("detach", "vol1", "node2").failure("CMMVC5782E")
    assert lost.maps("vol1") == [HOST]


def test_a_port_that_the_array_only_counts_is_not_taken_for_one_that_is_out(lost: Bench) -> None:
    operate(lost, "addhostport", "-force", "-saswwpn", "500062B200000001", HOST)
    lost.do("dialect", sas_names=False)
    said = lost.call("detach", "vol1", "node2").failure("not known")
    assert "1 of its ports are not named by the array" in said
    assert lost.maps("vol1") == [HOST]


def test_the_arrays_command_that_the_sentence_names_ends_a_hanging_machine_and_lets_the_volume_go(
    lost: Bench,
) -> None:
    lost.do("logins", port=FIRST, nodes=[1])
    lost.do("logins", port=SECOND, nodes=[1, 2])
    said = lost.call("detach", "vol1", "node2").failure("mcsop")
    commands = re.findall(r"«mcsop ([^»]+)»", said)
    assert len(commands) == 2
    for command in commands:
        operate(lost, *command.split())
    lost.call("detach", "vol1", "node2").success()
    assert lost.maps("vol1") == []
