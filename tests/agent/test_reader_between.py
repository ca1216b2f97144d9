"""Another node reads along between this one's mapping and its look at it: no unknown mapping stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.as18000 import mapping
from tests.agent.bench import Bench, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READER = "iscsi-node2"


@pytest.fixture
def node(directory: Path, portal: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A node that settles what is left over after 0.3 s; node2 maps before its first look."""
    made = Bench(directory, {1: portal(), 2: portal()}, rest=0.3)
    made.start()
    made.create("vol1")
    made.make_host(READER, "iqn.1993-08.org.debian:01:node2")
    look = mapping._alone

    def beaten(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(mapping, "_alone", look)
        made.array._cli.operate("mkvdiskhostmap", "-force", "-host", READER, "vol1")
        return look(*arguments, **more)

    monkeypatch.setattr(mapping, "_alone", beaten)
    yield made
    made.do("clear")
    made.close()


def test_a_reader_that_comes_in_between_leaves_no_mapping_of_ours_without_a_record(node: Bench) -> None:
    node.attach("vol1").failure(f"is mapped to {READER}: it cannot be given to iscsi-node1")
    assert node.maps("vol1") == [READER]
    assert node.records() == {}


def test_a_mapping_that_cannot_be_taken_back_at_once_is_taken_back_later(node: Bench) -> None:
    node.do("fault", command="rmvdiskhostmap", error="CMMVC9999E", times=1)
    node.attach("vol1").failure("was to be taken back from iscsi-node1, and may stay mapped there")
    until(lambda: node.maps("vol1") == [READER] and not node.records())


def test_a_mapping_whose_answer_was_lost_is_taken_back_later(node: Bench) -> None:
    node.do("fault", command="mkvdiskhostmap", after="connection", times=1)
    node.attach("vol1").failure("was to be taken back from iscsi-node1, and may stay mapped there")
    until(lambda: node.maps("vol1") == [READER] and not node.records())
