"""The objects of `--json`: their keys and types are held here; what programs read must not change unseen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.administration import ctl

if TYPE_CHECKING:
    from tests.ctl.node import Node

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
SECRET = "passw0rd"  # of the bench's array

FINDING = dict.fromkeys(
    ("check", "code", "severity", "sentence", "cause", "risk", "who", "command", "proof", "volume"), "str"
)
FRAME = {"format": "int", "command": "str", "status": "int"}
SHAPES: dict[str, Any] = {
    "doctor": {"node": "str", "seconds": "float", "checks": ["str"], "findings": [FINDING]},
    "status": {
        "version": "str", "node": "str", "configuration": "str", "agent_says": "str",
        "units": dict.fromkeys(
            (
                "instorage-nodeagent.service", "instorage-helper.socket", "multipathd.service",
                "iscsid.service",
            ),
            "str",
        ),
        "arrays": [{
            "name": "str", "answers": "bool", "seconds": "float", "mapped": "int", "logged_in": "bool",
        }],
        "volumes": {"mounted": "int"}, "findings": [FINDING],
    },
    "volumes": {
        "volumes": [{
            "name": "str", "uid": "str", "array": "str", "size": "int", "state": "str", "paths": "int",
            "working_paths": "int", "map": "bool", "pods": ["str"], "read_only": "bool", "since": "str",
            "recorded": "bool",
        }],
    },
    "arrays": {
        "arrays": [{
            "name": "str", "address": "str", "port": "int", "answers": "bool", "seconds": "float",
            "protection": {"minutes": "int", "pools": ["str"]},
            "portals": [{"portal": "str", "target": "str"}],
        }],
    },
    "barrier show": {"lines": ["str"]},
    "codes": {"codes": [dict.fromkeys(("code", "message_id", "meaning", "cause", "mend"), "str")]},
}  # fmt: skip
"""By command, without the frame."""


def shape(found: object) -> object:
    """Types in the place of values; of a list that of its first item."""
    if isinstance(found, dict):
        return {key: shape(value) for key, value in found.items()}
    if isinstance(found, list):
        return [shape(found[0])] if found else []
    return type(found).__name__


def test_each_object_has_the_keys_that_programs_know(node: Node) -> None:
    assert ctl.FORMAT == 1
    node.in_use("vol1")
    node.do("dialect", protection_minutes=15)
    node.root.program("timedatectl", "echo NTPSynchronized=no")
    where = ("--config", str(node.paths.configuration))
    for command, expected in SHAPES.items():
        words = command.split()
        more = where if words[0] in ("arrays", "barrier") else ()
        said = node.ctl(*words, "--json", *more, status=None)
        assert shape(json.loads(said)) == FRAME | expected, command
        assert SECRET not in said


def test_volumes_are_listed_for_people_and_for_completion(node: Node) -> None:
    node.in_use("vol1", "vol2")
    said = node.ctl("volumes").splitlines()
    assert said[0].split() == ["VOLUME", "ARRAY", "SIZE", "STATE", "PATHS", "PODS", "SINCE"]
    assert said[1].split()[:7] == ["vol1", "storage-01", "1", "GiB", "mounted", "2/2", "1"]
    assert node.ctl("volumes", "--names").split() == ["vol1", "vol2"]
    node.helper.stop()
    assert node.ctl("volumes", "--names") == ""
    assert "instorage-helper.socket" in (node.ctl("volumes", status=1) or node.errors)


def test_status_is_one_screen(node: Node) -> None:
    node.in_use("vol1", "vol2")
    said = node.ctl("status")
    lines = said.splitlines()
    assert lines[0].startswith("InStorage ")
    assert lines[0].endswith(" on node node1")
    assert "2 mounted" in said
    assert "storage-01 answers" in said
    assert lines[-1].strip() == "nothing is wrong"
    node.root.program("timedatectl", "echo NTPSynchronized=no")
    assert "The clock of this node is not synchronised." in node.ctl("status", status=1)
    assert "\x1b[" not in said
