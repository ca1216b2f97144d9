"""install.sh on a host whose systemd is played: what is started, what goes on, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import DRIVER, SHELLS, differences, snapshot
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.host import Host

pytestmark = pytest.mark.root
AGENT = "instorage-nodeagent.service"
DEAD_SOCKET = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\".agent.sock\")'"
RESTART = [f"stop {AGENT}", "stop instorage-helper.service", f"start {AGENT}"]
OWN = ("etc", "usr/lib/instorage", "usr/lib/systemd", "usr/libexec", "usr/sbin", "opt", "var")


def files(host: Host) -> dict[str, tuple[object, ...]]:
    return {f"{name}/{path}": found for name in OWN for path, found in snapshot(host.root / name).items()}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_first_one_runs_at_once_and_at_every_boot(host: Host, old: Path, shell: str) -> None:
    done = host.install(old, "--node", shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert host.version == "3.0.0"
    assert host.calls == [
        "daemon-reload", "--quiet enable instorage-node.target", "start instorage-node.target"
    ]  # fmt: skip
    plugin = f"/{PLUGIN}"
    assert host.sh(f"stat -c '%U:%G %a' {plugin}/config/instorage.yaml") == "root:instorage-agent 640"
    assert host.sh(f"stat -c %U {plugin}/log") == "instorage-agent"
    assert host.sh("find /usr/lib /usr/libexec -xdev ! -user root") == f"{plugin}/log"


@pytest.mark.parametrize("shell", SHELLS)
def test_an_upgrade_restarts_services_and_never_a_socket(running: Host, new: Path, shell: str) -> None:
    done = running.install(new, "--node", shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert running.version == "3.1.0"
    assert running.calls == ["daemon-reload", "start instorage-node.target", *RESTART]
    assert running.install(new, "--node", shell=shell).returncode == 0
    assert running.calls == [], "nothing changed: nothing is restarted"


def test_a_version_that_does_not_run_here_is_taken_back(running: Host, new: Path) -> None:
    before = files(running)
    running.sh(": >/run/broken-3.1.0")
    done = running.install(new, "--node")
    assert done.returncode == 3
    assert (
        "instorage-nodeagent.service is 'auto-restart': journalctl -u instorage-nodeagent says why"
        in done.stderr
    )
    assert "the version of before is in force again" in done.stderr
    assert running.version == "3.0.0"
    assert differences(before, files(running)) == []
    running.sh("rm /run/broken-3.1.0")
    assert running.install(new, "--node").returncode == 0
    assert running.version == "3.1.0"


def test_a_first_version_that_does_not_run_is_finished_by_the_next_run(host: Host, old: Path) -> None:
    host.sh(": >/run/broken-3.0.0")
    done = host.install(old, "--node")
    assert done.returncode == 4
    assert "no version was here before: mend that, and run this again" in done.stderr
    host.sh("rm /run/broken-3.0.0")
    assert host.install(old, "--node").returncode == 0
    assert host.version == "3.0.0"


def test_of_a_first_one_that_broke_off_early_nobody_says_that_a_version_of_before_is_in_force(
    host: Host, old: Path
) -> None:
    host.sh("mount --bind /usr/bin/false /usr/bin/systemd-sysusers; rm -r /run/systemd")
    done = host.install(old, "--node", "--root", "/")
    assert done.returncode == 4
    assert "the user instorage-agent, in group instorage, cannot be made in / (" in done.stderr
    assert "no version was here before: mend that, and run this again" in done.stderr
    host.sh("umount /usr/bin/systemd-sysusers")
    assert host.install(old, "--node", "--root", "/").returncode == 0


@pytest.mark.parametrize("step", ["daemon-reload", "start", "stop"])
def test_services_that_were_switched_but_not_restarted_are_restarted_by_the_next_run(
    running: Host, new: Path, step: str
) -> None:
    running.sh(f": >/run/kill.{step}")
    assert running.install(new, "--node").returncode == -9
    assert running.sh("readlink /usr/lib/instorage/current") == "3.1.0"
    assert running.version == "3.0.0"
    assert running.install(new, "--node").returncode == 0
    assert running.version == "3.1.0"
    assert running.calls[-3:] == RESTART


def test_what_an_administrator_has_stopped_stays_stopped(running: Host, new: Path) -> None:
    running.sh("systemctl stop instorage-node.target instorage-nodeagent.service")
    done = running.install(new, "--node")
    assert done.returncode == 0
    assert "instorage-node.target is stopped, and stays so" in done.stdout
    assert running.version == ""


def test_a_program_that_still_runs_keeps_its_version_until_it_has_ended(running: Host, new: Path) -> None:
    """A helper's long verb goes on beside the new helper, and imports what it needs when it needs it."""
    running.sh("/usr/lib/instorage/3.0.0/bin/python3 -c 'read x </run/rest; : >/run/read' >/dev/null 2>&1 &")
    assert running.install(new, "--node").returncode == 0
    assert running.sh("ls /usr/lib/instorage") == "3.0.0\n3.1.0\ncurrent"
    running.sh("echo go on >/run/rest; until [ -e /run/read ]; do sleep 0.01; done")
    assert running.install(new, "--node").returncode == 0
    assert running.sh("ls /usr/lib/instorage") == "3.1.0\ncurrent"


def test_a_checkouts_environment_stays_for_a_program_whose_python_is_the_hosts(
    running: Host, new: Path
) -> None:
    running.sh(
        "mkdir -p /usr/lib/instorage/2.9.0/bin; ln -s /usr/bin/dash /usr/lib/instorage/2.9.0/bin/python3"
    )
    running.sh("/usr/lib/instorage/2.9.0/bin/python3 -c 'read x </run/rest; : >/run/read' >/dev/null 2>&1 &")
    assert running.install(new, "--node").returncode == 0
    assert running.sh("ls /usr/lib/instorage") == "2.9.0\n3.1.0\ncurrent"
    running.sh("echo go on >/run/rest; until [ -e /run/read ]; do sleep 0.01; done")
    assert running.install(new, "--node").returncode == 0
    assert running.sh("ls /usr/lib/instorage") == "3.1.0\ncurrent"


def test_a_plugin_directory_that_moves_gets_its_socket(running: Host, old: Path) -> None:
    done = running.install(old, "--node", "--plugin-dir", "/srv/plugins")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.calls[-1] == f"restart {AGENT} instorage-nodeagent-plugin.socket"
    assert (running.root / "srv/plugins" / DRIVER / ".agent.sock").is_socket()
    assert f"INSTORAGE_PLUGIN=/srv/plugins/{DRIVER}" in running.sh("cat /etc/instorage/places")


def test_back_in_a_former_plugin_directory_where_a_dead_socket_lies_somebody_listens(
    running: Host, old: Path
) -> None:
    assert (running.root / PLUGIN / ".agent.sock").is_socket()
    for place in ("/srv/plugins", f"/{PLUGIN}".rpartition("/")[0]):
        done = running.install(old, "--node", "--plugin-dir", place)
        assert (done.returncode, done.stderr) == (0, "")
        assert running.calls[-1] == f"restart {AGENT} instorage-nodeagent-plugin.socket"
        if place == "/srv/plugins":  # as a version left it that took its program alone away
            running.sh(f"mkdir -p /{PLUGIN} && cd /{PLUGIN} && {DEAD_SOCKET}")


def test_the_drop_in_of_a_checkout_says_where_the_plugin_is(host: Host, old: Path) -> None:
    host.sh(f"echo 'Environment=A=b INSTORAGE_PLUGIN=/srv/plugins/{DRIVER}' >/run/environment")
    assert host.install(old, "--node").returncode == 0
    assert (host.root / "srv/plugins" / DRIVER / "instorage-flexvolume").exists()
    done = host.install(old, "--node", "--plugin-dir", "/data")
    assert done.returncode == 1, "the agent would go on reading the configuration there"
    for unit in (AGENT, "instorage-helper.service"):
        said = f"a drop-in of {unit} says INSTORAGE_PLUGIN=/srv/plugins/{DRIVER}, this goes to /data/{DRIVER}"
        assert f"{said}: take that line out (systemctl edit {unit}" in done.stderr


def test_the_drop_in_of_a_checkout_says_where_kubelet_is(host: Host, old: Path) -> None:
    host.sh("echo 'Environment=INSTORAGE_KUBELET_ROOTS=/data/kubelet,/srv/kubelet A=b' >/run/environment")
    assert host.install(old, "--node").returncode == 0
    assert (
        "INSTORAGE_KUBELET_ROOTS=/data/kubelet,/srv/kubelet\n" in host.sh("cat /etc/instorage/places") + "\n"
    )
    done = host.install(old, "--node", "--kubelet-root", "/data/kubelet")
    assert done.returncode == 1
    assert (
        "says INSTORAGE_KUBELET_ROOTS=/data/kubelet,/srv/kubelet, this goes to /data/kubelet" in done.stderr
    )


def test_in_an_image_nothing_is_started_or_asked_for(host: Host, old: Path) -> None:
    host.sh("rm -r /run/systemd /usr/local/bin")
    done = host.install(old, "--node", "--root", "/")
    assert (done.returncode, done.stderr) == (0, "")
    assert host.sh("readlink -f /usr/sbin/instoragectl") == "/usr/lib/instorage/3.0.0/libexec/instoragectl"
    assert host.sh("ls /etc/systemd/system/multi-user.target.wants") == "instorage-node.target"
    assert host.sh(f"stat -c %G /{PLUGIN}/config/instorage.yaml") == "instorage-agent"


@pytest.mark.parametrize(("version", "needed"), [("237", True), ("252", False)])
def test_in_a_chroot_the_units_fit_the_systemd_that_will_run_there(
    host: Host, old: Path, version: str, needed: bool
) -> None:
    host.sh(f"rm -r /run/systemd; echo {version} >/run/versions/systemd")
    assert host.install(old, "--node", "--root", "/").returncode == 0
    drop_in = "/usr/lib/systemd/system/instorage-nodeagent.service.d/older-238.conf"
    assert (host.sh(f"ls {drop_in} || :") == drop_in) is needed


def test_two_installers_do_not_meet(host: Host, old: Path) -> None:
    host.sh(
        "umask 077; exec 9>/run/instorage-install.lock; flock 9; { read x </run/rest; } >/dev/null 2>&1 &"
    )
    done = host.install(old, "--node")
    assert done.returncode == 1
    assert "another install.sh is at work" in done.stderr


def test_a_removal_whose_services_do_not_stop_has_them_go_on(running: Host, old: Path) -> None:
    before = files(running)
    running.sh(f": >/run/stuck-{AGENT}")
    done = running.install(old, "--uninstall", "--node")
    assert done.returncode == 1
    assert "could be stopped: see systemctl status" in done.stderr
    assert running.sh("ls /run/enabled /run/units/instorage-nodeagent.socket")
    assert running.version == "3.0.0"
    assert differences(before, files(running)) == []
    running.sh(f"rm /run/stuck-{AGENT}")
    assert running.install(old, "--uninstall", "--node").returncode == 0


def test_mounted_volumes_are_not_left_without_their_agent(running: Host, old: Path) -> None:
    pod = f"/var/lib/kubelet/pods/0/volumes/{DRIVER}/pvc-1"
    running.sh(f"mkdir -p {pod} && mount --bind /run {pod}")
    done = running.install(old, "--uninstall")
    assert done.returncode == 1
    assert f"mounted: {pod}" in done.stderr
    assert (running.version, running.calls) == ("3.0.0", [])
    running.sh(f"umount {pod} && rm -r /var/lib/kubelet")
    done = running.install(old, "--uninstall", "--purge")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.version == ""
    assert running.sh("find / -xdev -name '*instorage*' ! -path '/archives/*' ! -path '/run/process/*'") == ""
    assert not (running.root / "usr/libexec/kubernetes").exists()
    assert running.sh("grep -c instorage /etc/passwd /etc/group || :") == "/etc/passwd:0\n/etc/group:0"
