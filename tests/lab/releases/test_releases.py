"""Nodes of three releases, without a Python: from the archive to a mounted volume, and gone again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import succeeded, volume
from tests.lab.reachability import pings
from tests.lab.releases.footprint import KEPT, footprint
from tests.lab.writer import Writer
from tests.soak import WHOLE, write_figures
from tools.lab.kubelet import Kubelet
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from tests.lab.releases.conftest import Installed
    from tools.lab import Machine
    from tools.lab.releases import Release
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
GIB = 1 << 30
INSTALLER_LIMIT = 60  # seconds, of a real machine; an emulated one keeps within it as well
ANY_PYTHON = "command -v python3 python; ls -d /usr/lib/python* /usr/local/lib/python*"


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


def test_a_volume_grows_under_a_writer_and_its_data_is_there_for_the_next_pod(
    installed: Installed, san: San
) -> None:
    machine = installed.product.machine
    kubelet = Kubelet(machine, volume(san))
    succeeded(kubelet.start_pod())
    machine.put(f"{kubelet.pod_directory}/row", "forty-two")
    with Writer(machine, f"{kubelet.pod_directory}/data") as writer:
        succeeded([kubelet.expand(2 * GIB)])
        writer.goes_on()
        assert writer.ends()["wrong"] == 0
    blocks, size = machine.run(f"stat -f -c '%b %S' {kubelet.pod_directory}").stdout.split()
    assert int(blocks) * int(size) > 1.8 * GIB
    succeeded(kubelet.end_pod())
    again = Kubelet(machine, kubelet.volume)
    succeeded(again.start_pod())
    assert machine.read(f"{again.pod_directory}/row") == b"forty-two"
    succeeded(again.end_pod())
    assert not installed.product.residue()


def test_it_is_not_removed_under_a_volume_and_then_leaves_the_configuration_or_nothing(
    installed: Installed, san: San
) -> None:
    """The last test: it ends the fixture's installation."""
    machine, archive = installed.product.machine, installed.archive
    kubelet = Kubelet(machine, volume(san))
    succeeded(kubelet.start_pod())
    for purge in ((), ("--purge",)):
        refused = archive.run("--uninstall", *purge, check=False)
        assert refused.exit_status == 1
        for used in (f"mounted: {kubelet.device_mount}", f"mounted: {kubelet.pod_directory}"):
            assert used in refused.stderr
        assert f"attached: {kubelet.volume}" in refused.stderr
    succeeded(kubelet.end_pod())
    archive.run("--uninstall")
    left = footprint(machine) - installed.before
    assert not [path for path in left if not KEPT.fullmatch(path)]
    assert [path for path in left if path.endswith("/config/instorage.yaml")]
    archive.run("--uninstall", "--purge")
    assert footprint(machine) == installed.before
    assert not machine.run("ls -d /run/instorage", check=False).stdout
