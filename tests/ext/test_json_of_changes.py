"""`fence --json` and `release --json`: the object says what was taken, also when something stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ext.test_fence import mapped, three
from tests.ext.test_release import Site, site
from tests.ext.test_release_hosts import twice

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
__all__ = ["site", "three", "twice"]


def said(site: Site, *arguments: str) -> dict[str, Any]:
    """The one object on standard output; what follows is on standard error."""
    status, printed = site.ctl(*arguments, "--json")
    found, _ = json.JSONDecoder().raw_decode(printed)
    assert found["status"] == status
    return dict(found)


def test_what_fence_took_is_said_beside_what_stays(three: Site) -> None:
    three.array.control.do("fault", command="rmvdiskhostmap", match="vol-2", error="CMMVC5982E", times=0)
    found = said(three, "fence", "node1")
    assert (found["status"], mapped(three)) == (1, ["vol-2"])
    assert found["fault"]["code"] == "volume-mapped"
    lines = found["lines"]
    for name in ("vol-1", "vol-3"):
        assert any(f"no longer maps {name} to node1" in line for line in lines), lines
    assert any(line.startswith("Volume vol-2 on array storage-01 stays mapped to node1") for line in lines)


def test_the_first_mapping_that_release_took_is_said_beside_the_second_that_stays(twice: Site) -> None:
    twice.array.control.do("fault", command="rmvdiskhostmap", skip=1, error="CMMVC5982E")
    found = said(twice, "release", "vol-1", "--from", "node1")
    (left,) = twice.maps()
    assert f"may still map vol-1 to {left}" in found["fault"]["sentence"]
    (line,) = found["lines"]
    assert line.endswith(f": {left} is next.")


def test_one_that_fails_before_it_did_anything_has_no_lines(three: Site) -> None:
    found = said(three, "fence", "node2")
    assert (found["fault"]["code"], found["lines"]) == ("host-missing", [])
    assert mapped(three) == ["vol-1", "vol-2", "vol-3"]
