"""`instoragectl attach-calls`: one command has a node's kubelet wait for attach calls, or not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from instorage.wire.fault import Code, Fault
from nodeagent.administration import attach_calls
from nodeagent.host.paths import Paths
from tests.agent.bench import device_target, pod_target

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
STUB = ROOT / "build/flexvolume-stub/instorage-flexvolume"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    plugin = tmp_path / "inspur~instorage-flexvolume"
    plugin.mkdir()
    shutil.copy(STUB, plugin / attach_calls.STUB)
    return Paths(plugin, plugin / "config/instorage.yaml", tmp_path / "state", "")


def mounted(tmp_path: Path, *targets: str) -> Path:
    file = tmp_path / "mountinfo"
    lines = [f"36 35 98:0 / {target} rw,noatime shared:1 - ext4 /dev/dm-0 rw\n" for target in ("/", *targets)]
    file.write_text("".join(lines))
    return file


def switched(paths: Paths, tmp_path: Path, *, attach: bool) -> str:
    return "\n".join(attach_calls.switch(paths, attach=attach, mounts=mounted(tmp_path)))


def said_by_the_stub(paths: Paths) -> str:
    argv = [str(paths.plugin / attach_calls.STUB), "init"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.mark.subprocess
def test_the_stub_and_the_agent_say_the_same_after_the_switch_and_after_the_way_back(
    paths: Paths, tmp_path: Path
) -> None:
    assert paths.attach
    assert '"attach":true' in said_by_the_stub(paths)
    assert "attach: false" in switched(paths, tmp_path, attach=False)
    assert not paths.attach
    assert '"attach":false' in said_by_the_stub(paths)
    assert "attach: true" in switched(paths, tmp_path, attach=True)
    assert paths.attach
    assert '"attach":true' in said_by_the_stub(paths)


@pytest.mark.root
def test_a_setting_that_only_root_may_read_is_named_with_the_rights_that_it_needs(directory: Path) -> None:
    """As somebody makes it by hand on a host whose umask is 077; the agent is another user."""
    directory.chmod(0o755)
    paths = Paths(directory, directory / "config/instorage.yaml", directory / "state", "")
    file = directory / attach_calls.SETTING
    file.write_text("false\n")
    file.chmod(0o600)
    assert not paths.attach
    os.seteuid(NOBODY)
    try:
        with pytest.raises(Fault, match="Permission denied") as caught:
            _ = paths.attach
    finally:
        os.seteuid(0)
    assert caught.value.code is Code.BAD_CONFIGURATION
    assert f"chmod 644 {file}" in caught.value.sentence
    file.chmod(0o644)
    os.seteuid(NOBODY)
    try:
        assert not paths.attach
    finally:
        os.seteuid(0)


def test_kubelet_sees_a_new_stub_of_the_same_owner_and_rights(paths: Paths, tmp_path: Path) -> None:
    stub = paths.plugin / attach_calls.STUB
    before = stub.stat()
    switched(paths, tmp_path, attach=False)
    after = stub.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert [name for name in os.listdir(paths.plugin) if name.endswith(".new")] == []


@pytest.mark.parametrize("target", [device_target("vol1"), pod_target("vol1")])
def test_a_node_that_has_a_volume_is_not_switched(paths: Paths, tmp_path: Path, target: str) -> None:
    with pytest.raises(Fault, match="Drain the node first") as caught:
        list(attach_calls.switch(paths, attach=False, mounts=mounted(tmp_path, target)))
    assert caught.value.code is Code.NOT_ALLOWED
    assert target in caught.value.sentence
    assert paths.attach


def test_what_is_so_already_changes_nothing(paths: Paths, tmp_path: Path) -> None:
    inode = (paths.plugin / attach_calls.STUB).stat().st_ino
    assert "already" in switched(paths, tmp_path, attach=True)
    assert (paths.plugin / attach_calls.STUB).stat().st_ino == inode
    assert not (paths.plugin / attach_calls.SETTING).exists()


def test_a_directory_without_a_stub_is_named(paths: Paths, tmp_path: Path) -> None:
    (paths.plugin / attach_calls.STUB).unlink()
    with pytest.raises(Fault, match="the plugin directory of this node"):
        switched(paths, tmp_path, attach=False)


def test_what_is_in_force_is_shown(paths: Paths, tmp_path: Path) -> None:
    assert "attach: true" in "".join(attach_calls.show(paths))
    switched(paths, tmp_path, attach=False)
    assert "the array's mappings alone" in "".join(attach_calls.show(paths))
