"""The objects of `kubectl instorage --json`: their keys and types, which must not change unseen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.diagnosis import plugin
from tests.ctl.test_formats import FRAME, LINK, VERDICT, shape
from tests.diagnosis.recorded import VOLUME
from tests.diagnosis.test_plugin import api, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.diagnosis.recorded import Recorded

__all__ = ["api", "ask"]
pytestmark = pytest.mark.subprocess

SHAPES: dict[str, Any] = {
    "why default/web": VERDICT,
    f"tree {VOLUME}": VERDICT,
    "volumes": {"volumes": [dict.fromkeys(
        ("claim", "pv", "array", "pool", "kind", "size", "phase", "paths"), "str",
    ) | {"nodes": ["str"], "created": "float", "used": "int", "unseen": {}}]},
    "arrays": {"arrays": [{
        "array": "str", "volumes": "int", "phases": {"Bound": "int"}, "pools": {"Pool0": "int"},
    }]},
    "doctor": {"nodes": [{"node": "str", "report": {
        "format": "int", "node": "str", "at": "str", "looked": ["str"],
        "findings": [dict.fromkeys(("severity", "check", "sentence"), "str")],
    }}]},
}  # fmt: skip
"""By command, without the frame; a report is what a node wrote (`nodeagent/administration/report.py`)."""


def test_each_object_of_the_plugin_has_the_keys_that_programs_know(
    ask: Callable[..., tuple[int, str]], api: Recorded
) -> None:
    assert plugin.FORMAT == 1
    api.failed_mount("No path to the volume came up. [no-path] (request 0a1b2c3d4e)")
    for command, expected in SHAPES.items():
        status, said = ask(*command.split(), "--json")
        found = json.loads(said)
        assert shape(found) == FRAME | expected, command
        assert found["status"] == status
        assert [one for one in found.get("links", ()) if shape(one) != LINK] == []
