"""What is installed where: a node gets the node's part, a provisioner's host the provisioner's."""

from __future__ import annotations

import functools
import json
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from instorage.version import VERSION
from tests.provisioner.installed import FOLDER, Installed
from tools import install
from tools.install import OLDER, PARTS, ROOT, items

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]


@pytest.fixture(autouse=True)
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree of a node needs a stub; whether it is built is not the matter here."""
    (tmp_path / "stub").write_bytes(b"stub")
    monkeypatch.setattr(install, "STUB", tmp_path / "stub")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("host"))


@functools.cache
def paths(part: str) -> set[str]:
    return {item.path for item in items(part=PARTS[part])}


def test_a_node_gets_nothing_of_the_provisioner_and_the_other_way_round() -> None:
    node, provisioner = paths("node"), paths("provisioner")
    assert not [path for path in node if "provisioner" in path]
    foreign = re.compile("nodeagent|helper|flexvolume|instorage-node")
    assert not [path for path in provisioner if foreign.search(path)]
    assert not node & provisioner, "both may be on one host"


def test_every_unit_belongs_to_one_part() -> None:
    named = {path.rpartition("/")[2] for part in PARTS for path in paths(part)}
    files = {path for path in (ROOT / "systemd").rglob("*.*") if path.is_file()}
    assert {path.name for path in files if OLDER not in path.parents} <= named


def test_the_units_programs_are_in_their_part() -> None:
    for part in PARTS:
        texts = [item.content for item in items(part=PARTS[part]) if item.path.endswith(".service")]
        programs = re.findall(rb"^Exec\w+=[+!-]*/(\S+)", b"\n".join(filter(None, texts)), re.MULTILINE)
        assert programs
        assert {program.decode() for program in programs} <= paths(part)


@pytest.mark.root
def test_the_installed_program_runs_from_its_directory(host: Installed) -> None:
    done = host.run(f"{FOLDER}/instorage-provisioner -about", PYTHONPATH="/nonexistent")
    assert done.stdout.startswith(f"instorage-provisioner {VERSION}\n"), done.stderr


@pytest.mark.root
def test_the_configuration_is_looked_for_beside_the_program(host: Installed) -> None:
    user = {"name": "u", "user": {"token": "t"}}
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    access = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    (host.folder / "config/kubeconfig").write_text(json.dumps(access))
    done = host.run(f"{FOLDER}/instorage-provisioner -kubeconfig {FOLDER}/config/kubeconfig")
    assert done.returncode == 1
    assert f"{FOLDER}/config/instorage.yaml" in done.stderr


@pytest.mark.root
def test_its_instoragectl_says_that_there_is_no_key_and_makes_none(host: Installed) -> None:
    state = host.root / "var/lib/instorage-provisioner"
    shutil.rmtree(state, ignore_errors=True)
    done = host.run(f"{FOLDER}/instoragectl adopt")
    assert done.returncode == 1
    assert "/var/lib/instorage-provisioner/volume.key" in done.stderr
    assert not state.exists()


@pytest.mark.root
def test_a_nodes_instoragectl_hands_adopt_on_with_its_arguments(host: Installed) -> None:
    program = f"{sys.executable} -m nodeagent.administration.ctl"
    key = host.root / "no-key"
    done = host.run(f"sh -c 'cd {ROOT} && {program} adopt --key {key}'")
    assert f"The key {key} that signs volumes cannot be used" in done.stderr
    away = host.folder.rename(host.folder.with_name("away"))
    done = host.run(f"sh -c 'cd {ROOT} && {program} adopt'")
    away.rename(host.folder)
    assert done.returncode == 1
    assert "run adopt on the host of a provisioner" in done.stderr
