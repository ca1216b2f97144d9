"""`instoragectl` as the pages print it, by a shell: a volume is in use here, and another node is gone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from instorage.arrays.model import Initiator, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes, Iqn
from tests.ctl.conftest import directory, node, portal
from tools.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ctl.node import Node

__all__ = ["directory", "node", "portal"]
pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
GONE: Final = "node9"  # logged out; it has the volumes «left» and «also»
LIMIT = 120  # seconds for one command
PROGRAM = '#!/bin/sh\nexec {python} -m nodeagent.administration.ctl "$@"\n'


@dataclass(frozen=True)
class Typed:
    """What a reader puts for the words in capitals, and what the command then ends with and says."""

    says: str
    status: int = 0
    words: tuple[tuple[str, str], ...] = ()


VOLUME = (("VOLUME", "vol1"),)
LEFT = (("VOLUME", "left"), ("NODE", GONE), ("NAME", "storage-01"))
RUNS: Final = {
    "instoragectl status": Typed("volumes   1 mounted"),
    "instoragectl volumes": Typed("vol1"),
    "instoragectl arrays": Typed("Array storage-01 answers."),
    "instoragectl doctor": Typed("Nothing is wrong: 17 checks"),
    "instoragectl doctor --volume VOLUME": Typed("Nothing is wrong: 17 checks", words=VOLUME),
    "instoragectl bundle": Typed("instorage-"),
    "instoragectl doctor --bundle FILE": Typed(
        "Nothing is wrong: 17 checks", words=(("FILE", "instorage-*.tar.gz"),)
    ),
    "instoragectl why VOLUME": Typed("The kernel has no path to the volume", 2, VOLUME),
    "instoragectl codes CODE": Typed("no-path", words=(("CODE", "no-path"),)),
    "instoragectl completion bash >/etc/bash_completion.d/instoragectl": Typed(
        "", words=(("/etc/bash_completion.d/", "./"),)
    ),
    "instoragectl barrier show": Typed("No barrier file is here"),
    "instoragectl barrier clear": Typed("No barrier file is here"),
    "instoragectl barrier plan": Typed("No record of a broken-off active-active expansion"),
    "instoragectl fence NODE --plan": Typed("Volume left on array storage-01 would be unmapped", words=LEFT),
    "instoragectl release VOLUME --from NODE": Typed("no longer maps left", words=LEFT),
    "instoragectl release VOLUME --from NODE --although-logged-in": Typed(
        "it is mapped to no host", words=LEFT
    ),
    "instoragectl fence NODE --except VOLUME --storage NAME": Typed(
        "also", words=(("VOLUME", "also"), *LEFT[1:])
    ),
    "instoragectl fence NODE": Typed("the node is fenced from it", words=LEFT),
}
"""In this order: the later ones take what the earlier ones look at."""


@pytest.fixture
def site(node: Node) -> Node:
    """A healthy node, whose pod uses vol1; on its array two volumes of the node that is gone."""
    node.log_in()
    node.in_use("vol1")
    names = (f"iscsi-{GONE}",)
    node.array.ensure_host(Initiator(Iqn("iqn.2026-11.x:9")), link="iscsi", names=names, site="1")
    for volume in ("left", "also"):
        node.array.create_volume(VolumeSpec(VolumeName(volume), Bytes(1 << 30), ("Pool0",)))
        node.array.map_volume(VolumeName(volume), names[0])
    return node


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the administrator works, with `instoragectl` in his PATH."""
    program = tmp_path / "bin/instoragectl"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    return tmp_path


def test_each_command_of_the_pages_does_what_they_say(site: Node, home: Path) -> None:
    """One after the other on one node, as an administrator has them: see the table's order."""
    environment = site.environment() | {
        "PYTHONPATH": str(ROOT), "PATH": f"{home}/bin:/usr/bin:/bin",
        "INSTORAGE_AGENT_SOCKET": str(site.socket),
    }  # fmt: skip
    for command, typed in RUNS.items():
        line = command
        for word, own in typed.words:
            line = line.replace(word, own)
        done = subprocess.run(
            ["sh", "-c", line], cwd=home, env=environment, stdin=subprocess.DEVNULL, timeout=LIMIT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert (done.returncode, typed.says in said) == (typed.status, True), f"{line}\n{said}"
    assert "complete" in (home / "instoragectl").read_text()
