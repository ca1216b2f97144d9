"""`host.site`: one site for this host, or a table for all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from instorage.configuration.settings import load
from nodeagent.host import identity
from tests.configuration.conftest import SMALL, refusal, written

if TYPE_CHECKING:
    from pathlib import Path

HERE = os.uname().nodename


def with_site(said: str) -> str:
    return SMALL.replace("  link: fc\n", f"  link: fc\n  nodeName: node1\n  site: {said}\n")


@pytest.mark.parametrize(
    ("said", "site"),
    [
        ("site2", "site2"),
        ("2", "2"),
        ('"Hall B"', "Hall B"),
        ("{node1: site2, node2: site1}", "site2"),
        (f"{{{HERE}: site2}}", "site2"),
        ("{node2: site1}", ""),
        ('""', ""),
    ],
)
def test_a_node_finds_its_site(file: Path, said: str, site: str) -> None:
    found = load(written(file, with_site(said))).host
    assert found is not None
    assert identity.site(found) == site


@pytest.mark.parametrize("said", ["'a/b'", "{node1: 'x;y'}", "[site1]"])
def test_what_is_no_site_is_refused_by_name(file: Path, said: str) -> None:
    assert "host.site" in refusal(file, with_site(said))
