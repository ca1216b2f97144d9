"""`install.sh --uninstall`: not while volumes are in use; configuration stays, or nothing at all."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from installer import units
from tests.packaging.archive import FOLDER, ROOT, SHELLS, differences, run, snapshot
from tests.packaging.host import Host
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
PROVISIONER = f"opt/{FOLDER}"
ACCOUNTS = re.compile(r"(passwd|group|g?shadow)-?$|\.pwd\.lock$")


def uninstall(top: Path, root: Path, *arguments: str, shell: str = "dash") -> str:
    done = run(top, "--uninstall", *arguments, "--root", str(root), shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def files(root: Path) -> set[str]:
    """What lies there, but for the host's accounts and their older copies."""
    found = (path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(root)) for path in found if not ACCOUNTS.match(path.name)}


def test_it_is_refused_while_a_volume_is_attached_and_names_it(node: Path, old: Path) -> None:
    record = node / "var/lib/instorage/volumes/6005076400c8000000000000000000a1"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"schema": 1, "name": "pvc-1"}, indent=1))
    before = snapshot(node)
    for more in ((), ("--purge",)):
        done = run(old, "--uninstall", *more, "--root", str(node))
        assert done.returncode == 1
        assert f"attached: pvc-1 (record /{record.relative_to(node)})" in done.stderr
        assert "nothing was removed" in done.stderr
        assert snapshot(node) == before


def test_a_record_of_a_broken_into_agent_does_nothing_to_the_terminal(node: Path, old: Path) -> None:
    record = node / "var/lib/instorage/volumes/\033[2Jx"
    record.parent.mkdir(parents=True)
    record.write_text('{"schema": 9, "name": "\033]0;title\007"}')
    for arguments in (("--uninstall",), ("--node",)):
        done = run(old, *arguments, "--root", str(node))
        assert done.returncode == 1
        assert "[2Jx" in done.stderr
        assert done.stderr.replace("\n", "").isprintable()


def test_a_broken_off_expansion_outlives_it_and_is_not_purged(node: Path, old: Path) -> None:
    record = node / "var/lib/instorage-helper/aa/6005076400c8000000000000000000a1"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"schema": 1, "volume": "pvc-2", "array": "storage-01"}))
    done = run(old, "--uninstall", "--purge", "--root", str(node))
    assert done.returncode == 1
    assert "expansion that was broken off: pvc-2" in done.stderr
    assert "/var/lib/instorage-helper" in uninstall(old, node)
    assert record.exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_configuration_and_keys_stay_and_nothing_else(root: Path, old: Path, shell: str) -> None:
    assert run(old, "--node", "--provisioner", "--root", str(root)).returncode == 0
    kept = {
        f"{PLUGIN}/config/instorage.yaml", f"{PLUGIN}/.attach", "etc/instorage/helper.conf",
        "etc/instorage/places", "var/lib/instorage/known_hosts", f"{PROVISIONER}/config/kubeconfig",
        f"{PROVISIONER}/config/instorage.yaml", "var/lib/instorage-provisioner/volume.key",
        "etc/systemd/system/instorage-nodeagent.service.d/mine.conf",
    }  # fmt: skip
    gone = {f"{PLUGIN}/log/x.log", "var/log/instorage/x.log", f"{PLUGIN}/config/instorage.yaml.sample"}
    (root / "var/lib/instorage/volumes").mkdir(parents=True)
    for name in kept | gone:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    said = uninstall(old, root, shell=shell)
    assert files(root) == kept
    assert not (root / "var/lib/instorage/volumes").exists()
    assert f"Kept, as configuration, keys or records: /{PLUGIN}" in said
    left = snapshot(root)
    uninstall(old, root, shell=shell)
    assert snapshot(root) == left


@pytest.mark.parametrize("shell", SHELLS)
def test_purge_leaves_no_file_and_no_user(root: Path, old: Path, shell: str) -> None:
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    before = files(root), (root / "etc/passwd").read_text()
    elsewhere = ("--plugin-dir", "/var/lib/kubelet/plugins", "--prefix", "/srv")
    assert run(old, "--node", "--provisioner", *elsewhere, "--root", str(root)).returncode == 0
    for name in ("var/lib/instorage/known_hosts", "var/lib/instorage-provisioner/volume.key"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()
    said = uninstall(old, root, "--purge", shell=shell)
    assert "Kept" not in said
    assert (files(root), (root / "etc/passwd").read_text()) == before
    assert not list(root.rglob("*instorage*"))
    assert not (root / "usr/libexec").exists() or not list((root / "usr/libexec").iterdir())


def test_purge_leaves_nothing_of_an_installation_that_was_killed_before_a_rename(
    root: Path, old: Path
) -> None:
    before = files(root)
    assert run(old, "--node", "--provisioner", "--root", str(root)).returncode == 0
    for path in list(root.rglob("*")):
        ours = "/instorage/" not in str(path) and "python-" not in str(path)  # directories that go whole
        if ours and (path.is_file() or path.is_symlink()) and not ACCOUNTS.match(path.name):
            path.rename(path.with_name(f".{path.name}.new"))
    for directory in (PLUGIN, PROVISIONER):
        path = root / directory
        path.rename(path.with_name(f".{path.name}.new"))
    uninstall(old, root, "--purge")
    assert files(root) == before


def test_one_part_goes_and_the_other_stays(root: Path, old: Path) -> None:
    assert run(old, "--provisioner", "--root", str(root)).returncode == 0
    before = snapshot(root)
    assert run(old, "--node", "--root", str(root)).returncode == 0
    uninstall(old, root, "--node", "--purge")
    changed = differences(before, {name: facts for name, facts in snapshot(root).items() if name in before})
    assert set(changed) <= {"etc/instorage/places", "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"}


@pytest.mark.parametrize("part", ["node", "provisioner"])
def test_a_part_that_was_not_there_is_not_said_to_be_removed(root: Path, old: Path, part: str) -> None:
    removed = {"node": "The node part is removed.", "provisioner": "The provisioner is removed."}
    absent = {"node": "No node part is installed", "provisioner": "No provisioner is installed"}
    assert run(old, f"--{part}", "--root", str(root)).returncode == 0
    said = uninstall(old, root)
    assert [one for one in removed if removed[one] in said] == [part]
    assert [one for one in absent if absent[one] in said] == [one for one in absent if one != part]
    again = uninstall(old, root, "--purge")
    assert not [one for one in removed if removed[one] in again]


def test_the_installed_copy_removes_without_the_archive(node: Path) -> None:
    uninstall(node / "usr/lib/instorage/current", node, "--purge")
    assert not (node / "usr/lib/instorage").exists()


@pytest.mark.root
@pytest.mark.parametrize("parts", [("node",), ("provisioner",), ("node", "provisioner")])
def test_a_package_manager_that_has_taken_the_archive_away_can_still_purge(
    tmp_path: Path, old: Path, parts: tuple[str, ...]
) -> None:
    """Of dpkg's purge everything is gone already that could run the installer."""
    with Host(tmp_path / "host") as host:
        for part in parts:
            assert host.install(old, f"--{part}").returncode == 0
        for part in parts:
            assert host.install(old, "--uninstall", f"--{part}").returncode == 0
        for part in parts:
            script = (ROOT / "packaging/purge").read_text().replace("@PART@", part)
            (host.root / "tmp/purge").write_text(script)
            before = host.sh("find /etc/instorage /opt /var/lib || :")
            host.sh("sh /tmp/purge remove")
            assert host.sh("find /etc/instorage /opt /var/lib || :") == before, "it is not that yet"
            host.sh("sh /tmp/purge purge")
        left = host.sh("find / -xdev -name '*instorage*' ! -path '/archives/*' ! -path '/run/*'")
        assert left == ""
        assert host.sh("grep -c instorage /etc/passwd /etc/group || :") == "/etc/passwd:0\n/etc/group:0"


@pytest.mark.root
def test_a_purge_of_packages_spares_what_an_expansion_needs(tmp_path: Path) -> None:
    with Host(tmp_path / "host") as host:
        record = "/var/lib/instorage-helper/aa/6005076400c8000000000000000000a1"
        host.sh(f"mkdir -p {record.rpartition('/')[0]}; echo x >{record}")
        (host.root / "tmp/purge").write_text((ROOT / "packaging/purge").read_text().replace("@PART@", "node"))
        said = host.sh("sh /tmp/purge purge 2>&1 || echo refused")
        assert said == f"{record}: a volume needs it still, nothing was removed.\nrefused"


def test_what_was_never_installed_is_removed_all_the_same(root: Path, old: Path) -> None:
    before = snapshot(root)
    uninstall(old, root, "--purge")
    assert snapshot(root) == before


def test_an_administrators_own_units_stay_and_other_programs(root: Path, old: Path) -> None:
    own, ours = "etc/systemd/system", "usr/lib/systemd/system"
    assert run(old, "--node", "--provisioner", "--root", str(root)).returncode == 0
    edited = {f"{own}/instorage-nodeagent.service", f"{own}/instorage-provisioner.service"}
    others = {
        f"{ours}/instorage-console.service", f"{own}/instorage-backup.timer",
        f"{own}/instorage-backup.service.d/mine.conf",
    }  # fmt: skip
    for name in edited | others:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("mine")
    for arguments in (("--uninstall",), ("--node", "--provisioner"), ("--uninstall",)):
        assert run(old, *arguments, "--root", str(root)).returncode == 0
        assert {name for name in edited | others if (root / name).read_text() == "mine"} == edited | others
    assert [path.name for path in (root / ours).glob("instorage-*")] == ["instorage-console.service"]
    uninstall(old, root, "--purge")
    assert {name for name in edited | others if (root / name).exists()} == others


def test_every_unit_that_is_delivered_is_known_to_its_removal() -> None:
    assert {path.name for path in (ROOT / "systemd").glob("instorage-*")} <= set(units.KNOWN)
