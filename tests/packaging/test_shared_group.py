"""install.sh and what both services share: their group, its log directory, and that it goes with the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import SHELLS, run
from tests.packaging.host import Host

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.root]
PARTS = ("--node", "--provisioner")
USERS = {"--node": "instorage-agent", "--provisioner": "instorage-provisioner"}
LOGS = "var/log/inspurlog"
OWNED = "instorage-provisioner:instorage-provisioner"


def act(top: Path, root: Path, *arguments: str, shell: str = "dash") -> None:
    done = run(top, *arguments, "--root", str(root), shell=shell)
    assert (done.returncode, done.stderr) == (0, "")


def members(root: Path, file: str = "group") -> set[str] | None:
    """Who is in the group; None: there is no such."""
    for line in (root / "etc" / file).read_text().splitlines():
        if line.startswith("instorage:"):
            return set(filter(None, line.split(":")[3].split(",")))
    return None


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("first", PARTS)
def test_each_part_brings_its_user_into_the_group_and_the_last_that_is_purged_takes_it_away(
    root: Path, old: Path, first: str, shell: str
) -> None:
    (second,) = set(PARTS) - {first}
    act(old, root, first, shell=shell)
    assert members(root) == {USERS[first]}
    act(old, root, second, shell=shell)
    assert members(root) == set(USERS.values())
    act(old, root, "--uninstall", "--purge", first, shell=shell)
    for file in ("group", "gshadow"):
        assert members(root, file) == {USERS[second]}
    act(old, root, "--uninstall", "--purge", second, shell=shell)
    for file in ("group", "gshadow", "passwd"):
        assert "instorage" not in (root / "etc" / file).read_text()


def test_log_files_in_the_shared_directory_go_with_their_part_and_others_stay(root: Path, old: Path) -> None:
    act(old, root, *PARTS)
    (root / LOGS).mkdir(parents=True)
    names = (
        "instorage-nodeagent.log",
        "instorage-nodeagent.log.1",
        "instorage-provisioner.log",
        "vendors.log",
    )
    for name in names:
        (root / LOGS / name).touch()
    act(old, root, "--uninstall", "--node")
    assert {path.name for path in (root / LOGS).iterdir()} == {"instorage-provisioner.log", "vendors.log"}
    act(old, root, "--uninstall", "--provisioner")
    assert [path.name for path in (root / LOGS).iterdir()] == ["vendors.log"]


def test_the_shared_directory_stays_as_long_as_a_part_may_log_there(root: Path, old: Path) -> None:
    act(old, root, *PARTS)
    (root / LOGS).mkdir(parents=True)
    (root / LOGS / "instorage-nodeagent.log").touch()
    act(old, root, "--uninstall", "--node")
    assert not list((root / LOGS).iterdir())
    act(old, root, "--uninstall", "--provisioner")
    assert not (root / LOGS).exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_user_of_a_version_that_had_no_such_group_comes_into_it_and_the_directory_is_made(
    tmp_path: Path, old: Path, shell: str
) -> None:
    with Host(tmp_path / "host") as host:
        host.sh("groupadd --system instorage-agent && useradd --system --gid instorage-agent instorage-agent")
        assert host.install(old, "--node", shell=shell).returncode == 0
        assert members(host.root) == {"instorage-agent"}
        assert host.sh(f"stat -c '%U:%G %a' /{LOGS}") == "root:instorage 1770"
        assert host.install(old, "--provisioner", shell=shell).returncode == 0
        assert members(host.root) == set(USERS.values())
        assert host.sh("id -nG instorage-agent") == "instorage-agent instorage"


def test_a_host_whose_systemd_makes_no_users_has_them_made_otherwise(tmp_path: Path, old: Path) -> None:
    with Host(tmp_path / "host") as host:
        host.sh("mount --bind /usr/bin/false /usr/bin/systemd-sysusers")
        for part in PARTS:
            assert host.install(old, part).returncode == 0
        assert members(host.root) == set(USERS.values())
        assert host.sh("stat -c %U:%G /opt/inspur-instorage-provisioner/log") == OWNED
