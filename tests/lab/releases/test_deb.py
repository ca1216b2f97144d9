"""The deb on Debian 12: dpkg installs, upgrades under load, keeps what works, removes and purges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import Load, succeeded, volume
from tests.lab.releases.footprint import KEPT, footprint
from tests.lab.releases.test_upgrade import CHANGED, DIES, runs
from tests.soak import IN_SOAK
from tools.lab.kubelet import Kubelet
from tools.lab.product import Product
from tools.lab.releases import BOOKWORM, Release

if TYPE_CHECKING:
    from tools.lab import Machine
    from tools.lab.archive import Archive
    from tools.lab.channel import Result
    from tools.lab.san import San

# Every day its scripts natively: tests/packaging/test_packages_by_the_pages.py.
pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), IN_SOAK]
RELEASE = BOOKWORM
PACKAGE, HOME = "instorage-node", "/usr/lib/instorage-node"
LIMIT = 600  # seconds for dpkg, in an emulated machine
# Another build of it, as `make dist` of another commit makes it; not packed, which takes a minute there.
ANOTHER = """
set -e; rm -rf /root/deb; dpkg-deb -R /root/first.deb /root/deb; cd /root/deb
sed -i 's/^Version: .*/Version: {version}/' DEBIAN/control; echo {version} >.{home}/VERSION
(cd .{home}; {change})
dpkg-deb -Znone -b /root/deb /root/{version}.deb; rm -r /root/deb
"""


@pytest.fixture(scope="module")
def release() -> Release:
    """The one that has it."""
    return RELEASE


@pytest.fixture(scope="module")
def before(machine: Machine, archive: Archive) -> frozenset[str]:
    """What is on the node before."""
    (package,) = (deb for deb in archive.debs if deb.name.startswith(f"{PACKAGE}_"))
    machine.put("/root/first.deb", package.read_bytes())
    return footprint(machine)


@pytest.fixture(scope="module")
def product(machine: Machine, before: frozenset[str]) -> Product:
    """The product as dpkg installed it, configured."""
    product = Product(machine)
    installed(machine, "first")
    product.configure()
    return product


def dpkg(machine: Machine, *options: str, check: bool = True) -> Result:
    """Run dpkg."""
    argv = ["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *options]
    return machine.run(argv, LIMIT, check=check)


def installed(machine: Machine, name: str, *, check: bool = True) -> Result:
    """Have dpkg install a package that lies on the node."""
    return dpkg(machine, "-i", f"/root/{name}.deb", check=check)


def another(machine: Machine, version: str, change: str) -> str:
    """Make another version of the package on the node, its files changed by a script; return its name."""
    machine.run(ANOTHER.format(version=version, change=change.strip(), home=HOME), LIMIT)
    return version


def state(machine: Machine) -> str:
    """Return what dpkg thinks of the package, nothing when it does not know it."""
    shown = machine.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", PACKAGE], check=False)
    return shown.stdout.strip()


def test_a_pod_gets_its_volume_from_an_installed_package(product: Product, san: San) -> None:
    machine = product.machine
    assert state(machine) == "installed"
    assert not dpkg(machine, "--verify", PACKAGE).stdout
    kubelet = Kubelet(machine, volume(san))
    succeeded(kubelet.start_pod())
    succeeded(kubelet.end_pod())
    assert not product.residue()


def test_dpkg_upgrades_under_twenty_calls_in_flight_and_a_writing_pod(product: Product, san: San) -> None:
    machine = product.machine
    later = another(machine, "99.0", CHANGED)
    done = Load(machine, san).through(lambda: installed(machine, later, check=False))
    assert done.exit_status == 0, done.stderr
    assert runs(machine) == later
    assert state(machine) == "installed"
    assert not product.residue()


def test_a_package_whose_agent_dies_leaves_the_version_of_before_at_work_and_a_good_one_mends_it(
    product: Product, san: San
) -> None:
    machine = product.machine
    before = runs(machine)
    broken = another(machine, "99.1", DIES)
    failed = Load(machine, san).through(lambda: installed(machine, broken, check=False))
    assert failed.exit_status != 0
    assert "the version of before is in force again, and pods went on" in failed.stderr
    assert (runs(machine), state(machine)) == (before, "half-configured")
    assert dpkg(machine, "--configure", PACKAGE, check=False).exit_status != 0
    assert runs(machine) == before
    installed(machine, another(machine, "99.2", ":"))
    assert (runs(machine), state(machine)) == ("99.2", "installed")


def test_dpkg_removes_nothing_under_a_volume_then_all_but_the_configuration_and_with_purge_that(
    product: Product, before: frozenset[str], san: San
) -> None:
    """The last test: it ends the fixture's installation."""
    machine = product.machine
    kubelet = Kubelet(machine, volume(san))
    succeeded(kubelet.start_pod())
    for option in ("--remove", "--purge"):
        refused = dpkg(machine, option, PACKAGE, check=False)
        assert refused.exit_status != 0
        assert f"mounted: {kubelet.pod_directory}" in refused.stderr
        assert (runs(machine), state(machine)) == ("99.2", "installed")
    succeeded(kubelet.end_pod())
    dpkg(machine, "--remove", PACKAGE)
    left = footprint(machine) - before
    assert not [path for path in left if not KEPT.fullmatch(path)]
    assert [path for path in left if path.endswith("/config/instorage.yaml")]
    dpkg(machine, "--purge", PACKAGE)
    assert footprint(machine) == before
    assert state(machine) == ""
