"""install.sh --node where the vendor's plugin is in force: said, kept aside, and back if need be."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from installer import vendor
from installer.host import run as run_program
from tests.packaging import vendors
from tests.packaging.archive import DRIVER, archive, differences, put, run, snapshot
from tests.packaging.host import Host
from tests.packaging.vendors import CONFIGURATION, LOG, PROGRAM, STUB, TARGET
from tools.install import PLUGIN, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.subprocess
ROOT_WANTED = pytest.mark.root
OWN = ("etc", "usr/lib/instorage", "usr/lib/systemd", "usr/libexec", "usr/sbin", "var")
ASIDE = f"{STUB}.vendor"
CONFIG = f"{PLUGIN}/config/instorage.yaml"
DEVICE = "/var/lib/kubelet/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
SHADOW = "8f0a8e9e9244e9d5a865e45b5cf43dd4a4c83b12f072f353257ac9e19aa433e2f8b54583"  # the manual's, 4.4
USERS = (
    "etc/.pwd.lock",
    "etc/passwd",
    "etc/group",
    "etc/shadow",
    "etc/gshadow",
)  # a user is harmless, and stays


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A node as the vendor's program leaves it, with a volume mounted."""
    with Host(tmp_path / "host") as host:
        vendors.leave_node(host.root)
        host.sh(f"mkdir -p {DEVICE} && mount --bind /run {DEVICE}")
        yield host


def files(host: Host) -> dict[str, tuple[object, ...]]:
    found = {f"{name}/{path}": facts for name in OWN for path, facts in snapshot(host.root / name).items()}
    return {name: facts for name, facts in found.items() if not name.startswith(USERS)}


@ROOT_WANTED
def test_it_is_said_beforehand_and_nothing_is_changed(host: Host, old: Path) -> None:
    host.sh(f": >/{PLUGIN}/aa-extend-failure.barrier; mkdir /{PLUGIN.rpartition('/')[0]}/inspur~instorage")
    before = files(host)
    done = host.install(old, "--check", "--node")
    assert (done.returncode, done.stderr) == (0, "")
    for sentence in (
        "The vendor's K8sPlugin 2.1.0 is taken over:",
        f"/{STUB}: kept as instorage-flexvolume.vendor, which kubelet does not execute",
        f"/{CONFIG}: stays as it is; the group instorage-agent may read it",
        f"/{PLUGIN}/aa-extend-failure.barrier: stays, and stops attach and detach on this node",
        f"{DEVICE}: goes on, and is ours from then on",
        f"session to {TARGET} at 10.0.0.1:3260: brings no other volumes any more",
        "inspur~instorage: left alone",
    ):
        assert sentence in done.stdout
    assert "org.other" not in done.stdout
    assert differences(before, files(host)) == []
    assert "update" not in host.sh("cat /run/iscsiadm.log")


@ROOT_WANTED
def test_program_and_configuration_are_kept_and_volumes_go_on(host: Host, old: Path, new: Path) -> None:
    inode = host.sh(f"stat -c %i /{CONFIG}")
    done = host.install(old, "--node")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The vendor's K8sPlugin 2.1.0 is taken over:" in done.stdout
    assert "Write your arrays" not in done.stdout
    assert host.version == "3.0.0"
    assert host.calls[-1] == "start instorage-node.target"
    for _ in range(2):
        assert host.sh(f"cat /{ASIDE}") == PROGRAM.strip()
        assert host.sh(f"stat -c %a /{ASIDE}") == "644"
        assert host.sh(f"cat /{CONFIG}") == CONFIGURATION.strip()
        assert host.sh(f"stat -c '%U:%G %a %i' /{CONFIG}") == f"root:instorage-agent 640 {inode}"
        assert host.sh(f"/{STUB} init") == '{"status":"Success"}'
        assert host.sh(f"stat -c %U /{PLUGIN}/log") == "instorage-agent"
        assert host.sh("cat /run/scan") == "manual"
        assert host.sh(f"grep -c {DEVICE} /proc/self/mountinfo") == "1"
        assert host.install(new, "--node").returncode == 0, "a later version changes nothing of that"
    assert host.sh("grep -c update /run/iscsiadm.log") == "1"


@ROOT_WANTED
def test_no_call_of_kubelet_meets_a_stub_without_its_agent(host: Host, old: Path) -> None:
    """The vendor's program serves until the new agent answers: what kubelet asks meanwhile is its."""
    host.sh("echo 'cat /usr/libexec/*/*/*/*/*/instorage-flexvolume >/run/stub' >/run/starting")
    script = host.root / "usr/local/bin/systemctl"
    script.write_text(
        script.read_text().replace("start_service() {\n", "start_service() {\n. /run/starting\n")
    )
    assert host.install(old, "--node").returncode == 0
    assert host.sh("cat /run/stub") == PROGRAM.strip()
    assert "# 3.0.0" in host.sh(f"cat /{STUB}")


@ROOT_WANTED
def test_a_version_that_does_not_run_gives_the_node_back_to_the_vendors(host: Host, old: Path) -> None:
    before = files(host)
    host.sh(": >/run/broken-3.0.0")
    host.sh("mkdir -p /var/lib/instorage/volumes; : >/var/lib/instorage/volumes/of-its-adoption")
    done = host.install(old, "--node")
    assert done.returncode == 3
    assert "going back to the vendor's plugin" in done.stderr
    assert "the vendor's plugin is in force again" in done.stderr
    assert host.version == ""
    assert host.calls[-3:-1] == ["--quiet disable instorage-node.target", f"stop {' '.join(UNITS)}"]
    changed = set(differences(before, files(host)))
    assert not {name for name in changed if (host.root / name).is_file()}, "directories may stay"
    assert host.sh(f"/{STUB} ext-version") == "Version: 2.1.0"
    host.sh("rm /run/broken-3.0.0")
    assert host.install(old, "--node").returncode == 0
    assert host.version == "3.0.0"


UNITS = (
    "instorage-node.target", "instorage-nodeagent.service", "instorage-helper.service",
    "instorage-nodeagent.socket", "instorage-nodeagent-plugin.socket", "instorage-helper.socket",
    "instorage-volumes.service", "instorage-report.timer", "instorage-report.service",
)  # fmt: skip


@ROOT_WANTED
@pytest.mark.parametrize("step", ["daemon-reload", "enable", "start"])
def test_a_take_over_that_was_killed_is_finished_by_the_next_run(host: Host, old: Path, step: str) -> None:
    host.sh(f": >/run/kill.{step}")
    assert host.install(old, "--node").returncode == -9
    done = host.install(old, "--node")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The vendor's K8sPlugin 2.1.0 is taken over:" in done.stdout
    assert (host.version, host.sh(f"cat /{ASIDE}")) == ("3.0.0", PROGRAM.strip())
    assert host.sh("cat /run/scan") == "manual"


@ROOT_WANTED
def test_an_administrators_own_sessions_keep_their_ways(host: Host, old: Path) -> None:
    host.sh("echo automatic >/run/startup")
    assert host.install(old, "--node").returncode == 0
    assert host.sh("cat /run/scan") == "auto"


@ROOT_WANTED
def test_a_configuration_that_this_version_could_not_use_is_refused_before(
    host: Host, tmp_path: Path
) -> None:
    top = archive(tmp_path, "3.0.0")
    before = files(host)
    for script, said in (
        ("echo 'warning: storage[0].shadow cannot be used: it was made with another key.'", "another key"),
        ("echo 'storage[0].host is missing.'; exit 1", "storage[0].host is missing"),
    ):
        put(top, {"node/libexec/instorage-ext": f"#!/bin/sh\n{script}\n"}, 0o755)
        host.sh("rm -rf /archives")
        done = host.install(top, "--node")
        assert done.returncode == 1
        assert f"could not work with the vendor's configuration: {said}" in done.stderr or said in done.stderr
        assert "Mend it before" in done.stderr
        assert differences(before, files(host)) == []
    host.sh(f"chmod 700 /{PLUGIN}/config")
    assert f"is closed to the service's user instorage-agent: chmod o+x /{PLUGIN}/config" in (
        host.install(top, "--check").stderr
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"  password: ''\n  shadow: {SHADOW}", 0),
        ("  type: AS13000", 1),
        ("  host: 10.0.0.1", 1),
        ("", 0),
    ],
    ids=["a shadow of another key", "AS13000", "no port", "good"],
)
def test_what_the_new_version_says_of_a_configuration_is_understood(
    tmp_path: Path, line: str, status: int
) -> None:
    key = line.partition(":")[0]
    lines = [line if key and one.startswith(f"{key}:") else one for one in CONFIGURATION.splitlines()]
    lines = [one for one in lines if "shadow" not in line or not one.startswith('  shadow: ""')]
    put(tmp_path / DRIVER / "config", {"instorage.yaml": "\n".join(lines) + "\n"}, 0o644)
    done = run_program(
        sys.executable, "-c", "import sys; from nodeagent.administration.ext import main; sys.exit(main())",
        "ext-check-cfg", str(tmp_path / DRIVER / "config/instorage.yaml"), errors=True,
        more={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.status == status, done.said
    assert bool(done.status or vendor.UNFIT.search(done.said)) is bool(line), done.said


@ROOT_WANTED
def test_a_removal_leaves_the_vendors_files_and_says_how_it_comes_back(host: Host, old: Path) -> None:
    assert host.install(old, "--node").returncode == 0
    host.sh(f"umount {DEVICE}")
    done = host.install(old, "--uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    command = f"install -m 0755 /{ASIDE} /{STUB}"
    assert command in done.stdout
    assert not (host.root / STUB).exists(), "it maps volumes with -force: not where nobody expects it"
    assert host.sh(f"cat /{LOG} /{CONFIG}") == f"I0101 hello\n{CONFIGURATION}".strip()
    host.sh(command)
    assert host.sh(f"/{STUB} ext-version") == "Version: 2.1.0"
    host.sh(f"mount --bind /run {DEVICE}")
    assert host.install(old, "--uninstall", "--purge").returncode == 0, "those mounts are the vendor's"
    assert host.sh(f"cat /{STUB} /{CONFIG}") == f"{PROGRAM}{CONFIGURATION}".strip()


@ROOT_WANTED
def test_a_purge_takes_what_was_kept_aside_too(host: Host, old: Path) -> None:
    assert host.install(old, "--node").returncode == 0
    host.sh(f"umount {DEVICE}")
    assert host.install(old, "--uninstall", "--purge").returncode == 0
    assert not (host.root / PLUGIN).exists()


@ROOT_WANTED
def test_a_package_managers_purge_spares_the_vendors_program_in_force(host: Host, old: Path) -> None:
    (host.root / "tmp/purge").write_text((ROOT / "packaging/purge").read_text().replace("@PART@", "node"))
    host.sh("sh /tmp/purge purge")
    assert host.sh(f"cat /{STUB} /{CONFIG}") == f"{PROGRAM}{CONFIGURATION}".strip()


def test_it_is_kept_in_an_image_too_and_at_a_directory_that_is_left(root: Path, old: Path) -> None:
    vendors.leave_node(root, 0o644)
    done = run(old, "--node", "--plugin-dir", "/srv/plugins", "--root", str(root))
    assert done.returncode == 0, done.stderr
    assert (root / ASIDE).read_text() == PROGRAM
    assert not (root / STUB).exists(), "kubelet would have two"
    assert (root / PLUGIN / "config/instorage.yaml").read_text() == CONFIGURATION, "its program may come back"
    assert (root / "srv/plugins" / DRIVER / "config/instorage.yaml").read_text() == CONFIGURATION
    assert os.access(root / "srv/plugins" / DRIVER / "instorage-flexvolume", os.X_OK)
