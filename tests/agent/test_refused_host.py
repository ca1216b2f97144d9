"""A host object that is refused: the mend that the refusal names, carried out as it stands there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.bench import Bench

LONG = "storage-worker-0017.rack-12.hall-3.east.cluster.production.example"


@pytest.mark.parametrize(
    ("node", "more"),
    [("node1", ""), ("node1", "  namePrefix: cl1\n"), (LONG, ""), (LONG, "  namePrefix: cl1\n")],
    ids=["plain", "prefix", "cut", "prefix-cut"],
)
def test_the_line_that_a_refusal_says_is_to_be_added_makes_the_attach_work(
    bench: Bench, node: str, more: str
) -> None:
    bench.create("vol1")
    assert bench.helper.iqn is not None
    bench.make_host("esx7", bench.helper.iqn)

    def configure(line: str) -> None:
        bench.write_configuration(
            f"host:\n  link: iscsi\n  nodeName: {node}\n{more}{line}storage:\n- name: storage-01\n"
            f"  type: AS18000\n  host: 127.0.0.1:{bench.port}\n  username: superuser\n  password: passw0rd\n"
        )

    configure("")
    message = bench.attach("vol1").failure("is not used")
    found = re.search(r"host\.objects: (\{.+?\})", message)
    assert found is not None, message
    configure(f"  objects: {found[1]}\n")
    bench.attach("vol1").success()
    assert bench.maps("vol1") == ["esx7"]
