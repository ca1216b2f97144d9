"""The objects of `--json`: their keys and types are held here; what programs read must not change unseen."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.administration import ctl
from tests.agent.bench import until
from tests.diagnosis.conftest import journald

if TYPE_CHECKING:
    from tests.ctl.node import Node
    from tests.diagnosis.journald import Journald

__all__ = ["journald"]

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
SECRET = "passw0rd"  # of the bench's array

FINDING = dict.fromkeys(
    ("check", "code", "severity", "sentence", "cause", "risk", "who", "command", "proof", "volume"), "str"
)
LINK = dict.fromkeys(("place", "state", "sentence", "who", "command", "proof"), "str") | {"since": "float"}
VERDICT = {"sentence": "str", "who": "str", "do": "str", "first": "int", "links": [LINK]}
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
    "multipath": {"in_force": {}, "findings": [FINDING]},
    "barrier show": {"lines": ["str"]},
    "pin --dry-run": {"lines": ["str"]},
    "fence node2 --plan": {"lines": ["str"]},
    "why vol2": VERDICT,
    "tree vol2": VERDICT,
    "release vol2 --from node2": {"lines": ["str"]},
    "codes": {"codes": [dict.fromkeys(("code", "message_id", "meaning", "cause", "mend"), "str")]},
}  # fmt: skip
"""By command, without the frame."""
FIGURES = dict.fromkeys(("kind", "what", "call"), "str") | {"count": "int"}
FIGURES |= dict.fromkeys(("p50", "p95", "max"), "float")
SLOWEST = dict.fromkeys(("op", "call", "volume", "code"), "str") | dict.fromkeys(("ms", "at"), "float")
PART = {"kind": "str", "what": "str", "at": "float", "ms": "float", "outcome": "str", "parts": []}
OF_THE_JOURNAL: dict[str, Any] = {
    "times": {"figures": [FIGURES], "slowest": [SLOWEST]},
    "trace vol1": {
        "request": "str", "title": "str", "began": "float", "whole": "bool", "code": "str", "dropped": "int",
        "earlier": ["str"],
    },
}  # fmt: skip
"""By command; a timeline's `call` is a `PART` with parts, `unexplained` its gaps."""


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
    node.create("vol2")
    node.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    node.map("vol2", "iscsi-node2")
    node.do("dialect", protection_minutes=15)
    node.root.program("timedatectl", "echo NTPSynchronized=no")
    where = ("--config", str(node.paths.configuration))
    more: dict[str, tuple[str, ...]] = dict.fromkeys(
        ("arrays", "barrier", "fence", "release", "why", "tree"), where
    )
    more["pin"] = (*where, "--file", str(node.directory / "helper.conf"))
    for command, expected in SHAPES.items():
        words = command.split()
        if words[0] == "release":
            node.do("dialect", protection_minutes=0)  # which keeps a mapping
        said = node.ctl(
            *words, "--json", *more.get(words[0], ()), status=None, INSTORAGE_AGENT_SOCKET=str(node.socket)
        )
        found = json.loads(said)
        assert shape(found) == FRAME | expected, command
        assert [one for one in found.get("links", ()) if shape(one) != LINK] == []
        assert SECRET not in said


def test_what_is_read_from_the_journal_has_the_keys_that_programs_know(
    node: Node, journald: Journald, tmp_path: Path
) -> None:
    node.in_use("vol1")
    until(lambda: any(one.get("INSTORAGE_CALL") == "mount" for one in journald.entries), 30)
    file = journald.exported(tmp_path / "journal.json")
    for command, expected in OF_THE_JOURNAL.items():
        found = json.loads(node.ctl(*command.split(), "--json", "--journal", str(file)))
        gaps, call = found.pop("unexplained", []), found.pop("call", None)
        assert shape(found) == FRAME | expected, command
        assert [one for one in gaps if set(one) != {"at", "ms", "within"}] == []  # where there was no time
        assert [one for one in parts(call) if shape(one | {"parts": []}) != PART] == []
    file = tmp_path / "bundle.tar.gz"
    said = node.ctl("bundle", "--file", str(file), "--json")
    assert shape(json.loads(said)) == FRAME | {"file": "str", "members": ["str"], "passwords_known": "bool"}
    with tarfile.open(file) as tar:
        names = [Path(one.name).name for one in tar.getmembers()]
    assert sorted(names) == json.loads(said)["members"], "what it says of itself is what is in it"


def parts(call: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A call of a timeline, and all that is below it."""
    return [call, *(one for part in call["parts"] for one in parts(part))] if call else []


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
