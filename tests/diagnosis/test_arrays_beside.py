"""`instoragectl why` of a volume whose array is not known, beside an array that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.diagnosis.inspected import of_place

if TYPE_CHECKING:
    from tests.diagnosis.inspected import Node

GONE = "- name: gone\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"


def test_an_array_that_may_have_nothing_to_do_with_it_is_unseen_and_not_wrong(node: Node) -> None:
    node.bench.configure(storage=GONE)
    found = node.why()
    assert any("127.0.0.1:1" in one for one in of_place(found, "array", "unseen"))
    assert any("is online" in one for one in of_place(found, "array", "right"))
    assert of_place(found, "array", "wrong") == []
    (said,) = [one for one in of_place(node.why("nosuch"), "array", "unseen") if "gone" in one]
    assert "was not asked" in said
    assert of_place(node.why("nosuch"), "array", "wrong") == [], "it may be on the one that is silent"
