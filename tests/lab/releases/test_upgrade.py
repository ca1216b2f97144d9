"""An archive over an earlier one of ours, under load: forward, forward to what does not work, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import Load, succeeded, volume
from tests.soak import IN_SOAK
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from tests.lab.releases.conftest import Installed
    from tools.lab import Machine
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), pytest.mark.usefixtures("installed")]
LATER, BROKEN, OLDER = "99.0", "99.1", "2.9"
# Something in each kind of file; a stub with a byte behind its end is the same program.
CHANGED = r"""
printf '\n' >>'inspur~instorage-flexvolume/instorage-flexvolume'
find systemd node/libexec -type f -exec sh -c 'for file; do echo "# later" >>"$file"; done' - {} +
"""
DIES = r"printf '#!/bin/sh\nexit 1\n' >node/libexec/instorage-nodeagent"
READS_NO_RECORD = "sed -i 's/ 1$/ 0/' node/RECORDS"
AGENT = "readlink /proc/$(systemctl show -p MainPID --value instorage-nodeagent)/exe"


def runs(machine: Machine) -> str:
    """Return the version whose agent runs."""
    return machine.run(AGENT).stdout.removeprefix("/usr/lib/instorage/").partition("/")[0]


@pytest.fixture
def first(installed: Installed) -> str:
    """The version that is there before and, when the upgrade was undone, after a test."""
    version = installed.archive.version
    assert runs(installed.product.machine) == version
    return version


@IN_SOAK  # every day natively: tests/packaging/test_live_node.py
def test_an_upgrade_with_twenty_calls_in_flight_fails_none_and_a_pod_writes_on(
    installed: Installed, san: San, first: str
) -> None:
    machine, later = installed.product.machine, installed.archive.variant(LATER, CHANGED)
    try:
        upgraded = Load(machine, san).through(lambda: later.run("--node", check=False))
        assert (upgraded.exit_status, upgraded.stderr) == (0, "")
        assert runs(machine) == LATER
        later.run("--node")  # the version of before stays while a long verb runs from it: until the next run
        assert set(machine.run("ls /usr/lib/instorage").stdout.split()) == {LATER, "current"}
        assert not installed.product.residue()
    finally:
        installed.archive.run("--node")
    assert runs(machine) == first


@IN_SOAK  # every day natively: tests/packaging/test_live_node.py
def test_an_upgrade_to_a_version_whose_agent_dies_leaves_the_one_of_before_at_work(
    installed: Installed, san: San, first: str
) -> None:
    machine, broken = installed.product.machine, installed.archive.variant(BROKEN, CHANGED + DIES)
    failed = Load(machine, san).through(lambda: broken.run("--node", check=False))
    assert failed.exit_status == 3
    assert "journalctl -u instorage-nodeagent" in failed.stderr
    assert "the version of before is in force again, and pods went on" in failed.stderr
    assert runs(machine) == first
    assert set(machine.run("ls /usr/lib/instorage").stdout.split()) == {first, "current"}
    assert not installed.product.residue()


@IN_SOAK  # every day natively: tests/packaging/test_refusals.py
def test_an_older_version_that_cannot_read_a_record_is_refused_until_the_volume_is_gone(
    installed: Installed, san: San, first: str
) -> None:
    machine, older = installed.product.machine, installed.archive.variant(OLDER, READS_NO_RECORD)
    pod = Kubelet(machine, volume(san))
    succeeded(pod.start_pod())
    record = machine.run("ls -d /var/lib/instorage/volumes/*").stdout.strip()
    for options in (("--check", "--node"), ("--node",)):
        refused = older.run(*options, check=False)
        assert refused.exit_status == 1
        assert f"{record} was written by a newer version (form 1, this one reads up to 0)" in refused.stderr
        assert "end the pods that use the volume on this host first" in refused.stderr
    assert runs(machine) == first
    succeeded(pod.end_pod())
    older.run("--node")
    assert runs(machine) == OLDER
    installed.archive.run("--node")
    assert runs(machine) == first
