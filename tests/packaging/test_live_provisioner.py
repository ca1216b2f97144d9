"""install.sh --provisioner on a host whose systemd is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import FOLDER, SHELLS, differences, snapshot
from tests.packaging.host import Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.root
UNIT = "instorage-provisioner"
RESTART = f"--no-block restart {UNIT}.service"


@pytest.fixture
def running(tmp_path: Path, old: Path) -> Iterator[Host]:
    """A host on which the older version's provisioner runs."""
    with Host(tmp_path / "host") as host:
        done = host.install(old, "--provisioner")
        assert (done.returncode, done.stderr) == (0, "")
        assert host.program(UNIT) == "", "it has no access to Kubernetes yet"
        host.sh(f"systemctl start {UNIT}.service")
        assert host.program(UNIT) == f"/opt/{FOLDER}/python-3.0.0/bin/python3"
        assert host.calls
        yield host


@pytest.mark.parametrize("shell", SHELLS)
def test_an_upgrade_restarts_it(running: Host, new: Path, shell: str) -> None:
    done = running.install(new, "--provisioner", shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert running.program(UNIT) == f"/opt/{FOLDER}/python-3.1.0/bin/python3"
    assert running.calls == ["daemon-reload", RESTART]
    assert running.sh(f"ls -d /opt/{FOLDER}/python*").split() == [
        f"/opt/{FOLDER}/python", f"/opt/{FOLDER}/python-3.1.0"
    ]  # fmt: skip
    owner = running.sh(f"stat -c '%U:%G %a' /opt/{FOLDER}/config/instorage.yaml")
    assert owner == "root:instorage-provisioner 640"


def test_a_version_that_does_not_run_here_is_taken_back(running: Host, new: Path) -> None:
    places = ("opt", "etc", "usr/lib/systemd")
    before = [snapshot(running.root / place) for place in places]
    running.sh(": >/run/broken-3.1.0")
    done = running.install(new, "--provisioner")
    assert done.returncode == 3
    assert f"{UNIT}.service is 'auto-restart': journalctl -u {UNIT} says why" in done.stderr
    assert running.program(UNIT) == f"/opt/{FOLDER}/python-3.0.0/bin/python3"
    after = [snapshot(running.root / place) for place in places]
    assert [differences(one, other) for one, other in zip(before, after, strict=True)] == [[], [], []]


def test_what_an_administrator_has_stopped_stays_stopped(running: Host, new: Path) -> None:
    running.sh(f"systemctl stop {UNIT}.service")
    done = running.install(new, "--provisioner")
    assert done.returncode == 0
    assert f"{UNIT}.service is stopped, and stays so" in done.stdout
    assert running.program(UNIT) == ""


def test_it_moves_to_another_folder_with_its_configuration(running: Host, new: Path) -> None:
    running.sh(f"echo access >/opt/{FOLDER}/config/kubeconfig && chmod 600 /opt/{FOLDER}/config/kubeconfig")
    done = running.install(new, "--provisioner", "--prefix", "/srv")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.program(UNIT) == f"/srv/{FOLDER}/python-3.1.0/bin/python3"
    assert running.sh(f"cat /srv/{FOLDER}/config/kubeconfig") == "access"
    assert running.sh(f"stat -c %a /srv/{FOLDER}/config/kubeconfig") == "600"
    assert not (running.root / "opt" / FOLDER).exists()


def test_it_ends_and_its_key_stays_until_it_is_purged(running: Host, old: Path) -> None:
    key = "/var/lib/instorage-provisioner/volume.key"
    running.sh(f"mkdir -p /var/lib/instorage-provisioner; echo key >{key}")
    done = running.install(old, "--uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.program(UNIT) == ""
    assert running.sh(f"cat {key}") == "key"
    done = running.install(old, "--uninstall", "--purge")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.sh(f"find /etc /opt /usr /var -xdev -name '*{UNIT}*'") == ""


def test_a_host_whose_usr_cannot_be_written_has_all_of_it_in_etc_and_opt(tmp_path: Path, old: Path) -> None:
    """As Flatcar's and Fedora CoreOS': only a node's part needs a /usr that can be written."""
    with Host(tmp_path / "host") as host:
        host.sh("mkdir -p /etc/systemd/system; mount --rbind /usr/lib /usr/lib")
        host.sh("mount -o remount,bind,ro /usr/lib")
        done = host.install(old, "--check", "--node")
        assert "/usr/lib cannot be written: mount it read-write for the installation." in done.stderr
        for arguments in (("--check", "--provisioner"), ("--provisioner",)):
            done = host.install(old, *arguments)
            assert (done.returncode, done.stderr) == (0, "")
        for place in (
            "systemd/system/instorage-provisioner.service",
            "sysusers.d/instorage-provisioner.conf",
        ):
            assert (host.root / "etc" / place).exists()
        owner = host.sh(f"stat -c '%U:%G' /opt/{FOLDER}/log /opt/{FOLDER}/config/instorage.yaml")
        assert owner == f"{UNIT}:{UNIT}\nroot:{UNIT}"
        assert host.install(old, "--uninstall", "--provisioner", "--purge").returncode == 0
        assert host.sh("find /etc /opt -name '*instorage*'") == ""
