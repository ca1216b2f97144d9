"""What both services share on a host, made by systemd's own tools from our files."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.install import PLUGIN, PROVISIONER

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.subprocess, pytest.mark.root]
SYSTEMD = Path(__file__).parents[2] / "systemd"
SERVICES = ("instorage-agent", "instorage-provisioner")


class Root:
    """A root file system with both parts, beside which a vendor's log directory may be left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("etc/instorage", "var/log", f"{PLUGIN}/log", f"{PROVISIONER}/log", "usr/lib"):
            (directory / name).mkdir(parents=True)
        (directory / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (directory / "etc/group").write_text("root:x:0:\n")

    def make(self, *parts: str) -> None:
        """Put the files of these parts there and have systemd's tools read them."""
        for kind in ("sysusers.d", "tmpfiles.d"):
            (self.directory / "usr/lib" / kind).mkdir(exist_ok=True)
            for part in parts:
                shutil.copy(SYSTEMD / kind / f"instorage-{part}.conf", self.directory / "usr/lib" / kind)
        for tool in (("systemd-sysusers",), ("systemd-tmpfiles", "--create")):
            done = subprocess.run(
                [*tool, f"--root={self.directory}"], capture_output=True, text=True, timeout=30, check=False
            )
            complaints = [
                line for line in done.stderr.splitlines() if "instorage" in line and "reat" not in line
            ]
            assert (done.returncode, complaints) == (0, [])

    def group(self) -> tuple[int, list[str]]:
        lines = (self.directory / "etc/group").read_text().splitlines()
        found = next(line.split(":") for line in lines if line.startswith("instorage:"))
        return int(found[2]), found[3].split(",")

    def user(self, name: str) -> int:
        lines = (self.directory / "etc/passwd").read_text().splitlines()
        return int(next(line.split(":")[2] for line in lines if line.startswith(f"{name}:")))

    def seen(self, name: str) -> tuple[int, int, int]:
        facts = (self.directory / name).stat()
        return facts.st_uid, facts.st_gid, facts.st_mode & 0o7777


@pytest.fixture
def root() -> Iterator[Root]:
    """In a directory that everybody may enter; pytest's own are root's."""
    with tempfile.TemporaryDirectory(prefix="shared-places-") as directory:
        Path(directory).chmod(0o755)
        yield Root(Path(directory))


@pytest.mark.parametrize("order", [("node", "provisioner"), ("provisioner", "node")])
def test_both_parts_on_one_host_share_key_and_log_directory_in_whatever_order_they_came(
    root: Root, order: tuple[str, str]
) -> None:
    (root.directory / "var/log/inspurlog").mkdir()  # the vendor's
    root.make(order[0])
    key = root.directory / "etc/instorage/shadow.key"
    key.write_text("key\n")
    key.chmod(0o600)
    root.make(*order)
    group, members = root.group()
    assert sorted(members) == sorted(SERVICES)
    assert root.seen("var/log/inspurlog") == (0, group, 0o1770)
    assert root.seen("etc/instorage/shadow.key") == (0, group, 0o640)
    for folder, service in ((PLUGIN, SERVICES[0]), (PROVISIONER, SERVICES[1])):
        user = root.user(service)
        assert root.seen(f"{folder}/log")[::2] == (user, 0o755)


def test_one_service_can_make_files_there_and_touch_none_of_the_others(root: Root) -> None:
    root.make("node", "provisioner")
    logs = root.directory / "var/log/inspurlog"
    group, _ = root.group()
    agent, provisioner = (root.user(name) for name in SERVICES)
    assert _as(agent, group, f"umask 077 && echo secret >{logs}/agent.log") == 0
    for attempt in ("cat {0}", "echo x >>{0}", "rm -f {0}", "mv {0} {0}.1", "mv {0} {1}"):
        assert _as(provisioner, group, attempt.format(f"{logs}/agent.log", f"{logs}/mine")) != 0, attempt
    assert _as(provisioner, group, f"echo mine >{logs}/provisioner.log") == 0
    assert (logs / "agent.log").read_text() == "secret\n"


def _as(user: int, group: int, command: str) -> int:
    argv = ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={group}", "sh", "-c", command]
    return subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode


def test_a_host_with_no_log_folder_gets_none_below_kubelets_plugins(root: Root) -> None:
    """With the driver elsewhere: kubelet would take the folder for a driver."""
    shutil.rmtree(root.directory / PLUGIN)
    root.make("node")
    assert not (root.directory / PLUGIN).exists()


def test_both_units_may_write_there_and_start_without_it() -> None:
    for service in ("instorage-nodeagent", "instorage-provisioner"):
        lines = (SYSTEMD / f"{service}.service").read_text().splitlines()
        places = " ".join(
            line.partition("=")[2] for line in lines if line.startswith("ReadWritePaths=")
        ).split()
        assert "-/var/log/inspurlog" in places
        assert all(place.startswith("-") for place in places)
