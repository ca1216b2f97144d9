"""What somebody without any right sees of a node: what can be seen, and of the rest that it could not be."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.ctl.node import ROOT

if TYPE_CHECKING:
    from tests.ctl.node import Node

pytestmark = [pytest.mark.root, pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
NOBODY = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--no-new-privs")


def asked(node: Node, *words: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*NOBODY, sys.executable, "-m", "nodeagent.administration.ctl", *words, "--json"],
        cwd=ROOT, env=node.environment() | {"INSTORAGE_AGENT_SOCKET": str(node.socket)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, dict(json.loads(done.stdout))


def as_installed(node: Node) -> None:
    """Have the rights of an installation: sockets, configuration and records are for root and the agent."""
    node.directory.chmod(0o755)
    for private in (node.socket, node.directory / "helper.sock", node.paths.configuration):
        private.chmod(0o600)
    node.paths.state.chmod(0o700)


@pytest.mark.parametrize("command", ["why", "tree"])
def test_why_and_tree_say_what_they_could_not_see_and_call_nothing_wrong(node: Node, command: str) -> None:
    node.in_use("vol1")
    as_installed(node)
    status, found = asked(node, command, "vol1")
    assert (status, found["status"], found["who"], found["do"]) == (1, 1, "", "")
    assert {one["state"] for one in found["links"]} == {"unseen"}
    assert {one["place"] for one in found["links"]} == {"PV", "agent", "array"}
    assert "run this as root" in " ".join(one["sentence"] for one in found["links"])
    assert "so nothing is known of it" in found["sentence"]


def test_status_shows_the_services_and_says_that_volumes_were_not_seen(node: Node) -> None:
    node.in_use("vol1")
    as_installed(node)
    status, found = asked(node, "status")
    errors = [one for one in found["findings"] if one["severity"] == "error"]
    assert (errors, status) == ([], 0)
    assert {one["check"] for one in found["findings"] if one["code"] == "not-seen"} >= {
        "configuration",
        "volumes",
    }
    assert found["units"]["instorage-nodeagent.service"] == "active"
    assert found["volumes"] is None, "not seen is not none"
