"""An archive that was unpacked where the disk was full: all files are there, and some of them in part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import DRIVER, FOLDER, archive, run, snapshot
from tools.dist.archive import CONTENTS, contents

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
MODULE = "lib/python3.11/module.py"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """An archive that says what it holds, as `make dist` has it say."""
    top = archive(tmp_path, "3.1.0")
    (top / "deploy").mkdir()
    (top / "deploy/storageclasses.yaml").write_text("an example")
    for library in ("node/lib", f"{FOLDER}/python/lib"):  # as kubernetes has them
        for name in ("config/kept.py", "docs/kept.py"):
            (top / library / name).parent.mkdir(exist_ok=True)
            (top / library / name).write_text("kept = True\n")
    (top / CONTENTS).write_text(contents(top))
    return top


@pytest.mark.parametrize(
    ("part", "torn"),
    [
        ("--node", f"node/{MODULE}"),
        ("--node", f"{DRIVER}/instorage-flexvolume"),
        ("--node", "systemd/instorage-helper.service"),
        ("--node", "systemd/tmpfiles.d/instorage-node.conf"),
        ("--node", "node/lib/docs/kept.py"),
        ("--node", "installer/undo.py"),
        ("--node", CONTENTS),
        ("--provisioner", f"{FOLDER}/python/{MODULE}"),
        ("--provisioner", f"{FOLDER}/python/lib/config/kept.py"),
        ("--provisioner", "systemd/instorage-provisioner.service"),
    ],
)
def test_a_file_that_is_there_in_part_is_named_before_anything_is_changed(
    node: Path, top: Path, part: str, torn: str
) -> None:
    os.truncate(top / torn, (top / torn).stat().st_size - 1)
    before = snapshot(node)
    for arguments in ((part, "--check"), (part,)):
        done = run(top, *arguments, "--root", str(node))
        assert done.returncode == 1
        assert f"{top}/{torn}" in done.stderr
        assert "is not what was packed: unpack the whole archive again" in done.stderr
    assert snapshot(node) == before


def test_a_file_that_is_not_there_is_named(node: Path, top: Path) -> None:
    (top / "node" / MODULE).unlink()
    done = run(top, "--node", "--root", str(node))
    assert done.returncode == 1
    assert f"{top}/node/{MODULE} is not what was packed" in done.stderr


def test_what_an_administrator_writes_there_and_what_the_other_part_lacks_is_in_nobodys_way(
    root: Path, top: Path
) -> None:
    (top / "deploy/storageclasses.yaml").write_text("mine")
    (top / "kubeconfig").write_text("mine")
    (top / DRIVER / "config/instorage.yaml").write_text("mine")
    (top / "systemd/instorage-provisioner.service").unlink()
    (top / FOLDER / "python" / MODULE).unlink()
    done = run(top, "--node", "--root", str(root))
    assert (done.returncode, done.stderr) == (0, "")
