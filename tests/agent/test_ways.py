"""Which ways to a volume are taken when the array has more than a host may use."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.host import fc_ports
from nodeagent.volume.ways import spread

if TYPE_CHECKING:
    from pathlib import Path

Target = tuple[int, str, tuple[str, ...]]


def chosen(targets: list[Target]) -> list[Target]:
    return spread(targets, lambda target: (target[1], target[2]))


def test_what_fits_is_taken_as_it_is() -> None:
    nobody: tuple[str, ...] = ()
    targets = [(number, f"node{number % 2}", nobody) for number in range(16)]
    assert chosen(targets) == targets


def test_thirty_two_portals_of_four_nodes_give_four_of_each() -> None:
    targets: list[Target] = [(number, f"node{number // 8}", ()) for number in range(32)]
    assert Counter(node for _, node, _ in chosen(targets)) == {f"node{number}": 4 for number in range(4)}


def test_two_fabrics_get_eight_paths_each_although_one_is_named_first() -> None:
    targets: list[Target] = [
        (node * 4 + port, f"node{node}", ("a",) if port < 2 else ("b",))
        for node in range(16)
        for port in range(4)
    ]
    found = chosen(targets)
    assert Counter(adapter for _, _, adapters in found for adapter in adapters) == {"a": 8, "b": 8}
    assert len({node for _, node, _ in found}) == 16


def test_each_adapter_that_reaches_a_port_counts() -> None:
    targets: list[Target] = [(number, f"node{number}", ("a", "b", "c")) for number in range(8)]
    assert len(chosen(targets)) == 5


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["node1", "node2", "node3"]),
            st.sets(st.sampled_from("abcd")).map(tuple),
        ),
        max_size=40,
    )
)
def test_never_more_than_sixteen_paths_and_never_none(found: list[tuple[str, tuple[str, ...]]]) -> None:
    targets: list[Target] = [(number, node, adapters) for number, (node, adapters) in enumerate(found)]
    taken = chosen(targets)
    assert sum(max(len(adapters), 1) for _, _, adapters in taken) <= 16, "what the helper takes"
    assert bool(taken) is bool(targets)
    assert taken == [target for target in targets if target in taken], "in their order"


def test_a_port_on_its_way_out_hides_no_other(tmp_path: Path) -> None:
    for number, name in enumerate(("0x2100000e1e30acfc", "", "nonsense"), 3):
        at = tmp_path / f"class/fc_host/host{number}"
        at.mkdir(parents=True)
        (at / "port_name").write_text(name)
        (at / "port_state").write_text("Online\n")
    (tmp_path / "class/fc_host/host9").mkdir()
    assert [one.name for one in fc_ports.adapters(tmp_path)] == ["2100000e1e30acfc"]
    at = tmp_path / "class/fc_remote_ports/rport-3:0-1"
    at.mkdir(parents=True)
    assert list(fc_ports.remote_ports(tmp_path)) == []
    (at / "port_name").write_text("0x500507680110aaaa\n")
    (at / "port_state").write_text("Blocked\n")
    (found,) = fc_ports.remote_ports(tmp_path)
    assert (found.target, found.initiator, found.state) == (
        "500507680110aaaa",
        "2100000e1e30acfc",
        "Blocked",
    )
