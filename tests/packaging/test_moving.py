"""A plugin directory that moves: nothing of ours stays in the former one, all of an administrator does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import DRIVER
from tests.packaging.test_installing import ELSEWHERE, install, mode
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess


def test_a_plugin_directory_that_moves_takes_its_configuration_along(node: Path, old: Path) -> None:
    configuration = node / PLUGIN / "config"
    (configuration / "instorage.yaml").write_text("mine")
    (configuration / "instorage.yaml").chmod(0o600)
    (configuration / "adopted").write_text("lines")
    (node / PLUGIN / ".attach").write_text("false\n")
    install(old, node, "--node", "--plugin-dir", ELSEWHERE)
    moved = node / ELSEWHERE.lstrip("/") / DRIVER
    assert (moved / "config/instorage.yaml").read_text() == "mine"
    assert mode(moved / "config/instorage.yaml") == 0o600
    assert ((moved / "config/adopted").read_text(), (moved / ".attach").read_text()) == ("lines", "false\n")
    assert not (node / PLUGIN).exists(), (
        "kubelet would start two of them, and a password would lie there unseen"
    )
    install(old, node, "--node", "--plugin-dir", f"/{PLUGIN}")
    assert not list((node / "etc/systemd/system").glob("*.d")), "as the units are delivered"


@pytest.mark.parametrize("line", ["mine, edited after the move", f"log: /{PLUGIN}/log"])
def test_what_a_moved_plugin_still_needs_of_its_former_directory_or_has_otherwise_stays_and_is_said(
    node: Path, old: Path, line: str
) -> None:
    (node / PLUGIN / "config/instorage.yaml").write_text(line)
    there = node / ELSEWHERE.lstrip("/") / DRIVER / "config/instorage.yaml"
    if "edited" in line:
        there.parent.mkdir(parents=True)
        there.write_text("mine")
    said = install(old, node, "--node", "--plugin-dir", ELSEWHERE)
    assert f"/{PLUGIN} is used no more. Yours to take away is config there." in said
    assert (node / PLUGIN / "config/instorage.yaml").read_text() == line
