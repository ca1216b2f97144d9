"""The installer's last words over Fibre Channel: the line for an administrator's host object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from installer import zoning
from installer.host import Host

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
PROPOSED = "Array a has this machine's ports in K8S_NODE_3 ...: host.objects: {node1: K8S_NODE_3}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("host:\n  link: fc\n", [PROPOSED]),
        ("host: {link: 'fc', nodeName: n}\n", [PROPOSED]),
        ("host:\n  link: iscsi\n", []),
        (None, []),
    ],
)
def test_the_line_is_said_over_fibre_channel_alone(
    tmp_path: Path, text: str | None, wanted: list[str]
) -> None:
    plugin = tmp_path / "plugin"
    (plugin / "config").mkdir(parents=True)
    if text is not None:
        (plugin / "config/instorage.yaml").write_text(text)
    program = tmp_path / "instoragectl"
    asked = '[ "$1 $2" = "arrays --config" ] || exit 2'
    program.write_text(f'#!/bin/sh\n{asked}\necho "Array a answers."\necho "{PROPOSED}"\n')
    program.chmod(0o755)
    assert zoning.proposals(Host(), str(plugin), program) == wanted
    assert zoning.proposals(Host(live=False), str(plugin), program) == []
