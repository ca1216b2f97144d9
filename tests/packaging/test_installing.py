"""`install.sh --root`: what lies where on a host, by every shell that may run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import (
    DRIVER,
    FOLDER,
    PROGRAMS,
    ROOT,
    SHELLS,
    STUB,
    TEMPLATE,
    archive,
    run,
    snapshot,
)
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
LIBRARY, LIBEXEC = "usr/lib/instorage", "usr/libexec/instorage"
ELSEWHERE = "/var/lib/kubelet/volumeplugins"


def install(top: Path, root: Path, *arguments: str, shell: str = "dash") -> str:
    done = run(top, *arguments, "--root", str(root), shell=shell)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def text(root: Path, place: str) -> str:
    return (root / place.lstrip("/")).read_text()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def unchanged(path: Path) -> tuple[int, ...]:
    """What a change of a file would change; to read it changes its access time."""
    facts = path.stat()
    return facts.st_ino, facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns, facts.st_ctime_ns


@pytest.mark.parametrize("shell", SHELLS)
def test_a_node_gets_every_file_in_its_place(root: Path, old: Path, shell: str) -> None:
    said = install(old, root, "--node", shell=shell)
    assert f"InStorage 3.0.0 is installed on this node: plugin /{PLUGIN}" in said
    assert f"Write your arrays into /{PLUGIN}/config/instorage.yaml" in said
    assert os.readlink(root / LIBRARY / "current") == "3.0.0"
    for program in PROGRAMS:
        link = root / ("usr/sbin" if program == "instoragectl" else LIBEXEC) / program
        assert not os.readlink(link).startswith("/"), "an image's links lead into the image"
        assert link.resolve() == root / LIBRARY / "3.0.0/libexec" / program
        assert link.read_text().startswith("#!/usr/lib/instorage/3.0.0/bin/python3 -I\n")
    for unit in (ROOT / "systemd").glob("instorage-*"):
        there = root / "usr/lib/systemd/system" / unit.name
        assert there.exists() is ("provisioner" not in unit.name)
        assert not there.exists() or there.read_text() == unit.read_text()
    assert {path.name for path in (root / PLUGIN).iterdir()} == {"config", "instorage-flexvolume", "log"}
    stub, configuration = root / PLUGIN / "instorage-flexvolume", root / PLUGIN / "config/instorage.yaml"
    assert (mode(stub), mode(stub.parent), mode(configuration.parent)) == (0o755, 0o755, 0o755)
    assert (mode(configuration), configuration.read_text()) == (0o640, TEMPLATE)
    assert (root / "etc/systemd/system/multi-user.target.wants/instorage-node.target").is_symlink()
    places = text(root, "etc/instorage/places")
    assert f"\nINSTORAGE_PLUGIN=/{PLUGIN}\nINSTORAGE_KUBELET_ROOTS=/var/lib/kubelet\n" in places
    assert "PROVISIONER=" not in places


@pytest.mark.parametrize("shell", SHELLS)
def test_a_second_run_changes_nothing_at_all(root: Path, old: Path, shell: str) -> None:
    install(old, root, "--node", "--provisioner", shell=shell)

    def facts() -> dict[Path, tuple[int, int, int]]:
        found = ((path, path.lstat()) for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
        return {path: (seen.st_ino, seen.st_mtime_ns, seen.st_mode) for path, seen in found}

    before = facts()
    install(old, root, "--node", "--provisioner", shell=shell)
    assert facts() == before


def test_a_configuration_that_is_there_is_never_touched(root: Path, old: Path, new: Path) -> None:
    path = root / PLUGIN / "config/instorage.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    path.chmod(0o600)
    (root / PLUGIN / "log").mkdir(mode=0o700)
    before = unchanged(path)
    for top in (old, new):
        assert "Write your arrays" not in install(top, root, "--node")
        assert path.read_text() == "mine"
        assert unchanged(path) == before
        assert text(root, f"{PLUGIN}/config/instorage.yaml.sample") == TEMPLATE
    assert mode(root / PLUGIN / "log") == 0o700


def test_an_upgrade_leaves_one_version_and_a_downgrade_the_other(node: Path, old: Path, new: Path) -> None:
    before = snapshot(node)
    install(new, node, "--node")
    assert os.readlink(node / LIBRARY / "current") == "3.1.0"
    assert sorted(path.name for path in (node / LIBRARY).iterdir()) == ["3.1.0", "current"]
    assert "# 3.1.0\n" in text(node, f"{PLUGIN}/instorage-flexvolume")
    install(old, node, "--node")
    assert snapshot(node) == before


def test_another_build_of_a_version_does_not_change_the_programs_that_run(node: Path, tmp_path: Path) -> None:
    """They import from their directory while they run: it stays as it is until nothing runs from it."""
    running = node / LIBRARY / "3.0.0/lib/python3.11/module.py"
    before = running.stat().st_ino
    held = running.open()
    install(archive(tmp_path, "3.0.0", build="2"), node, "--node")
    assert os.readlink(node / LIBRARY / "current") == "3.0.0.2"
    assert text(node, f"{LIBRARY}/current/lib/python3.11/module.py") == "3.0.0 2\n"
    assert text(node, f"{LIBEXEC}/instorage-ext").startswith("#!/usr/lib/instorage/3.0.0.2/bin/python3 -I\n")
    assert (os.fstat(held.fileno()).st_ino, held.read()) == (before, "3.0.0 1\n")
    held.close()


def test_what_python_compiled_beside_a_version_makes_it_no_other(node: Path, old: Path) -> None:
    (node / LIBRARY / "3.0.0/lib/python3.11/__pycache__").mkdir()
    install(old, node, "--node")
    assert os.readlink(node / LIBRARY / "current") == "3.0.0"


def test_a_stub_that_kubelet_executes_is_replaced_and_its_call_goes_on(node: Path, new: Path) -> None:
    stub, sleeper = node / PLUGIN / "instorage-flexvolume", shutil.which("sleep")
    assert sleeper
    stub.unlink()
    shutil.copy(sleeper, stub)
    with subprocess.Popen([stub, "60"]) as call:
        try:
            install(new, node, "--node")
            assert call.poll() is None
        finally:
            call.kill()
    assert stub.read_text() == f"#!/bin/sh\n# 3.1.0\n{STUB}"


def test_a_checkouts_installation_is_taken_over(root: Path, new: Path) -> None:
    for name in ("bin/python3", "lib/python3.11/site-packages/helper/child.py", "pyvenv.cfg", "include/x"):
        path = root / LIBRARY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of a checkout")
    (root / LIBEXEC).mkdir(parents=True)
    (root / "usr/sbin").mkdir()
    for name in (*(f"{LIBEXEC}/{program}" for program in PROGRAMS), "usr/sbin/instoragectl"):
        (root / name).write_text("#!/usr/lib/instorage/bin/python3 -I\n")
    (root / LIBEXEC / "instoragectl").unlink()
    install(new, root, "--node")
    assert sorted(path.name for path in (root / LIBRARY).iterdir()) == ["3.1.0", "current"]
    assert all(path.is_symlink() for path in (*(root / LIBEXEC).iterdir(), root / "usr/sbin/instoragectl"))


def test_programs_and_units_that_a_version_has_no_more_go_and_nobody_elses(
    node: Path, tmp_path: Path
) -> None:
    new = archive(tmp_path, "3.1.0")
    (new / "systemd/instorage-report.timer").unlink()
    (node / LIBEXEC / "instorage-former").symlink_to("../../lib/instorage/current/libexec/instorage-former")
    (node / "usr/lib/systemd/system/instorage-backup.service").write_text("of another package\n")
    (node / "usr/lib/systemd/system/instorage-provisioner.service").write_text("of the other part\n")
    install(new, node, "--node")
    assert not (node / LIBEXEC / "instorage-former").is_symlink()
    assert not (node / "usr/lib/systemd/system/instorage-report.timer").exists()
    assert text(node, "usr/lib/systemd/system/instorage-backup.service") == "of another package\n"
    assert text(node, "usr/lib/systemd/system/instorage-provisioner.service") == "of the other part\n"


@pytest.mark.parametrize("given", [ELSEWHERE, f"{ELSEWHERE}/", f"{ELSEWHERE}/{DRIVER}"])
def test_another_plugin_directory_is_used_and_remembered(
    root: Path, old: Path, new: Path, given: str
) -> None:
    install(old, root, "--node", "--plugin-dir", given, "--kubelet-root", "/var/lib/kubelet/,/srv/kubelet")
    install(new, root, "--node")
    place = f"{ELSEWHERE}/{DRIVER}"
    assert text(root, f"{place}/instorage-flexvolume")
    assert not (root / PLUGIN).exists()
    assert f"INSTORAGE_PLUGIN={place}\nINSTORAGE_KUBELET_ROOTS=/var/lib/kubelet,/srv/kubelet\n" in text(
        root, "etc/instorage/places"
    )
    drop_ins = "etc/systemd/system/instorage-nodeagent"
    assert f"[Service]\nReadWritePaths=-{place}/log\n" in text(root, f"{drop_ins}.service.d/places.conf")
    socket = text(root, f"{drop_ins}-plugin.socket.d/places.conf")
    assert socket.endswith(f"[Socket]\nListenStream=\nListenStream={place}/.agent.sock\n")


def test_a_provisioner_lies_where_the_administrator_wants_it(root: Path, old: Path, new: Path) -> None:
    install(old, root, "--provisioner", "--prefix", "/srv")
    said = install(new, root, "--provisioner")
    folder = root / "srv" / FOLDER
    assert f"is installed as provisioner in /srv/{FOLDER}" in said
    assert not (root / "opt").exists()
    assert os.readlink(folder / "python") == "python-3.1.0"
    assert {path.name for path in folder.iterdir()} == {
        "config", "instorage-provisioner", "instoragectl", "log", "python", "python-3.1.0"
    }  # fmt: skip
    unit = (ROOT / "systemd/instorage-provisioner.service").read_text()
    (command,) = re.findall(r"^ExecStart=(?:.*\\\n)*.*\n", unit, re.MULTILINE)
    drop_in = text(root, "etc/systemd/system/instorage-provisioner.service.d/places.conf")
    writes = f"[Service]\nReadWritePaths=-/srv/{FOLDER}/log\n"
    assert drop_in.endswith(f"{writes}ExecStart=\n" + command.replace("/opt/", "/srv/"))
    assert text(root, "etc/instorage/places").endswith(f"\nINSTORAGE_PROVISIONER=/srv/{FOLDER}\n")


def test_a_checkouts_environment_of_the_provisioner_is_replaced(root: Path, new: Path) -> None:
    folder = root / "opt" / FOLDER
    (folder / "python/bin").mkdir(parents=True)
    (folder / "instorage-provisioner").write_text(f"#!/opt/{FOLDER}/python/bin/python3 -I\n")
    install(new, root, "--provisioner")
    assert os.readlink(folder / "python") == "python-3.1.0"
    assert not (folder / "python.before").exists()


def test_both_parts_share_a_host(root: Path, old: Path, new: Path) -> None:
    install(old, root, "--node")
    install(new, root, "--provisioner")
    assert os.readlink(root / LIBRARY / "current") == "3.0.0"
    places = text(root, "etc/instorage/places")
    assert re.findall(r"^\w+", places, re.MULTILINE) == [
        "INSTORAGE_PLUGIN", "INSTORAGE_KUBELET_ROOTS", "INSTORAGE_PROVISIONER"
    ]  # fmt: skip
