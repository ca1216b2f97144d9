"""Nodes of three releases, without a Python: from the archive to a mounted volume, and gone again."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.reachability import pings, wait_until
from tests.lab.releases.footprint import KEPT, footprint
from tests.soak import WHOLE, write_figures
from tools.lab.kubelet import Kubelet
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.releases.conftest import Installed
    from tools.lab import Machine
    from tools.lab.kubelet import Answer
    from tools.lab.releases import Release
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
GIB = 1 << 30
INSTALLER_LIMIT = 60  # seconds, of a real machine; an emulated one keeps within it as well
CALLS = 20  # in flight
VOLUMES = 8 if WHOLE else 4  # that they are for: equal calls are one operation
ARRAY_DELAY = 120.0  # seconds for which the array thinks about a mapping, unless the test ends it
STUB = "instorage-flexv"  # a process's name has 15 characters
ROWS = "i=0; while i=$((i + 1)); do echo $i >>{file} && sync {file} || exit 1; sleep 0.1; done"
ANY_PYTHON = "command -v python3 python; ls -d /usr/lib/python* /usr/local/lib/python*"
CURRENT = "readlink /usr/lib/instorage/current"
AGENT = "readlink /proc/$(systemctl show -p MainPID --value instorage-nodeagent)/exe"


def volume(san: San) -> str:
    """Make a volume on the array as its administrator would."""
    name = f"pvc-{uuid.uuid4()}"
    san.command(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand")
    return name


def succeeded(answers: list[Answer]) -> None:
    failed = [f"{answer.call}: {answer.message}" for answer in answers if not answer.success]
    assert not failed, failed


def test_the_node_is_of_its_release_and_has_no_python(release: Release, machine: Machine) -> None:
    shown = "grep ^VERSION_ID /etc/os-release; uname -r; systemctl --version; dpkg-query -W multipath-tools"
    lines = machine.run(shown).stdout.splitlines()
    assert lines[0] == f'VERSION_ID="{release.number}"'
    assert lines[1].startswith(release.kernel)
    assert f"({release.systemd}" in lines[2]
    assert lines[-1].split()[1].startswith(release.multipath)
    assert not machine.run(ANY_PYTHON, check=False).stdout
    assert all(pings(machine, portal) for portal in PORTALS)


def test_from_the_archive_to_a_mounted_volume_takes_the_installer_less_than_a_minute(
    release: Release, installed: Installed, san: San
) -> None:
    machine = installed.product.machine
    kubelet = Kubelet(machine, volume(san))
    answers = kubelet.start_pod()
    succeeded(answers)
    said = f"installer {installed.seconds:.1f} s, first volume {sum(a.seconds for a in answers):.1f} s"
    print(f"Debian {release.number}: {said}")
    if WHOLE:
        write_figures(f"archive on Debian {release.number}", said)
    assert installed.seconds < INSTALLER_LIMIT
    assert machine.run("multipath -ll").stdout.count("active ready running") == len(PORTALS)
    machine.put(f"{kubelet.pod_directory}/row", "forty-two")
    succeeded(kubelet.end_pod())
    assert not installed.product.residue()
    assert not machine.run(ANY_PYTHON, check=False).stdout


@pytest.mark.usefixtures("whole")
def test_a_volume_grows_under_its_pod_and_its_data_is_there_for_the_next(
    installed: Installed, san: San
) -> None:
    machine = installed.product.machine
    kubelet = Kubelet(machine, volume(san))
    succeeded(kubelet.start_pod())
    machine.put(f"{kubelet.pod_directory}/row", "forty-two")
    succeeded([kubelet.expand(2 * GIB)])
    blocks, size = machine.run(f"stat -f -c '%b %S' {kubelet.pod_directory}").stdout.split()
    assert int(blocks) * int(size) > 1.8 * GIB
    succeeded(kubelet.end_pod())
    again = Kubelet(machine, kubelet.volume)
    succeeded(again.start_pod())
    assert machine.read(f"{again.pod_directory}/row") == b"forty-two"
    succeeded(again.end_pod())
    assert not installed.product.residue()


@pytest.mark.usefixtures("whole")
def test_an_upgrade_with_twenty_calls_in_flight_fails_none_and_pods_write_on(
    installed: Installed, san: San, tmp_path: Path
) -> None:
    machine, later = installed.product.machine, installed.archive.later(tmp_path)
    later.put_on(machine)
    pod = Kubelet(machine, volume(san))
    succeeded(pod.start_pod())
    file = f"{pod.pod_directory}/rows"
    machine.run(["systemd-run", "-q", "--unit=writer", "sh", "-c", ROWS.format(file=file)])
    kubelets = [Kubelet(machine, volume(san)) for _ in range(VOLUMES)]
    san.control.do("fault", command="mkvdiskhostmap", times=0, delay=ARRAY_DELAY)
    with ThreadPoolExecutor(CALLS + 1) as pool:
        calls = [pool.submit(attached, kubelets[number % VOLUMES]) for number in range(CALLS)]
        wait_until(lambda: int(machine.run(f"pgrep -cx {STUB}", check=False).stdout) == CALLS, 60)
        before = machine.read(file).split()
        upgrade = pool.submit(later.run, machine, "--node")
        wait_until(lambda: machine.run(CURRENT).stdout.strip() == later.version or upgrade.done(), 60)
        san.control.do("clear")
        upgrade.result()
        for call in calls:
            succeeded(call.result())
    assert f"/usr/lib/instorage/{later.version}/" in machine.run(AGENT).stdout
    wait_until(lambda: len(machine.read(file).split()) > len(before))
    machine.run("systemctl stop writer")
    rows = machine.read(file).split()
    assert rows == [str(number).encode() for number in range(1, len(rows) + 1)]
    for kubelet in kubelets:
        succeeded([kubelet.call("mountdevice"), kubelet.call("unmountdevice")])
    succeeded(pod.end_pod())
    assert not installed.product.residue()


def test_it_is_not_removed_under_a_volume_and_then_leaves_the_configuration_or_nothing(
    installed: Installed, san: San
) -> None:
    """The last test: it ends the fixture's installation."""
    machine, archive = installed.product.machine, installed.archive
    kubelet = Kubelet(machine, volume(san))
    succeeded(kubelet.start_pod())
    refused = archive.run(machine, "--uninstall", check=False)
    assert refused.exit_status != 0
    assert kubelet.volume in refused.stdout + refused.stderr
    succeeded(kubelet.end_pod())
    archive.run(machine, "--uninstall")
    left = footprint(machine) - installed.before
    assert not [path for path in left if not KEPT.fullmatch(path)]
    assert [path for path in left if path.endswith("/config/instorage.yaml")]
    archive.run(machine, "--uninstall", "--purge")
    assert footprint(machine) == installed.before
    assert not machine.run("ls -d /run/instorage", check=False).stdout


def attached(kubelet: Kubelet) -> list[Answer]:
    """Make the one call of an attach, as often as kubelet is told that it is still worked on."""
    return list(kubelet.calls("waitforattach"))
