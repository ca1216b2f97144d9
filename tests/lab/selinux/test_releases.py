"""Enforcing, no rule silent, on Debian 13 and 11, what users get: test_life.py, then an upgrade, and gone.

Every day on one of them, two days each, over one link: in eight days each test has met each release and link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.link import over
from tests.lab.load import succeeded
from tests.lab.releases.conftest import other_lab
from tests.lab.releases.test_upgrade import LATER, runs
from tests.lab.selinux import test_life as life
from tests.lab.selinux.domains import domain
from tests.soak import IN_SOAK, of_today
from tools.install import PLUGIN, PROVISIONER
from tools.lab.kubelet import Kubelet
from tools.lab.product import Product, host_settings
from tools.lab.releases import BULLSEYE, TRIXIE, Release, of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.selinux.conftest import MakeVolume
    from tools.lab import Lab, Machine
    from tools.lab.archive import Unpacked

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500), over(*of_today(life.LINKS, 8))]
GIB = 1 << 30
LIMIT = 120  # seconds for a command in an emulated machine
# The image's policy is one in which no denial is silent; what the boot was denied, permissive, is not ours.
# auditctl ends with how many were lost before.
ENFORCE = "auditctl -b 65536 && { auditctl --reset-lost; setenforce 1; }"
DOMAINS = {
    "instorage-nodeagent.service": "instorage_agent_t",
    "instorage-helper.service": "instorage_helper_t",
    "multipathd.service": "lvm_t",
}
ELSEWHERE = "/srv/kubelet-plugins"
PLACES = (
    "/usr/lib/instorage", "/etc/instorage", "/var/lib/instorage", "/var/lib/instorage-helper",
    "/var/lib/instorage-provisioner", "/var/log/instorage", "/var/log/instorage-provisioner",
    "/var/log/inspurlog", "/run/instorage", ELSEWHERE, f"/{PLUGIN}", f"/{PROVISIONER}",
)  # fmt: skip
WRONG = "for place in {}; do [ ! -e $place ] || restorecon -n -v -R $place; done"
OF_LINK: dict[str, dict[str, str]] = {"iscsi": {"iscsid.service": "iscsid_t"}, "fc": {}}
test_what_is_laid_down_has_its_labels = life.test_what_is_laid_down_has_its_labels
test_an_active_active_volume_grows = life.test_an_active_active_volume_grows
test_everything_is_restarted_under_a_mounted_volume = life.test_everything_is_restarted_under_a_mounted_volume
test_the_doctor_finds_nothing_wrong_with_selinux = life.test_the_doctor_finds_nothing_wrong_with_selinux
test_a_boot_is_enforced_and_its_volumes_come_back = life.test_a_boot_is_enforced_and_its_volumes_come_back


@pytest.fixture(
    scope="module",
    params=[*dict.fromkeys(of_today((TRIXIE, TRIXIE, BULLSEYE, BULLSEYE), 4))],
    ids=lambda release: release.name,
)
def release(request: pytest.FixtureRequest) -> Release:
    """The node's release of Debian; the ordinary lab's is test_archive.py's."""
    found: Release = request.param
    return found


@pytest.fixture(scope="module")
def lab(release: Release, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The array and a node of the release, which has SELinux."""
    with other_lab(request.config, of(release, selinux=True)) as lab:
        yield lab


@pytest.fixture(scope="module")
def enforced(archive: Unpacked, link: str) -> Iterator[Product]:
    """The product, which its installer has put on a node that enforces."""
    product = Product(archive.machine, host=host_settings(link))
    product.machine.run(ENFORCE, LIMIT)
    product.install_from(archive)
    yield product
    assert "lost 0\n" in product.machine.run("auditctl -s").stdout, "what was denied is not all known"
    product.machine.run("setenforce 0")


def test_it_works_is_upgraded_under_a_volume_and_goes(
    node: Machine, release: Release, make_volume: MakeVolume, archive: Unpacked, link: str
) -> None:
    domains = DOMAINS | OF_LINK[link]
    assert f'VERSION_ID="{release.number}"' in node.run("cat /etc/os-release").stdout
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    assert {unit: domain(node, unit, LIMIT) for unit in domains} == domains
    node.put(f"{pod.pod_directory}/row", "forty-two")
    succeeded([pod.expand(2 * GIB)])
    for unit in ("instorage-node.target", "iscsid.service", "multipathd.service"):
        node.run(f"systemctl restart {unit}", LIMIT)
    archive.variant(LATER).run("--node")
    assert runs(node) == LATER
    succeeded(pod.end_pod())
    again = Kubelet(node, pod.volume)
    succeeded(again.start_pod())
    assert node.read(f"{again.pod_directory}/row") == b"forty-two"
    assert {unit: domain(node, unit, LIMIT) for unit in domains} == domains
    succeeded(again.end_pod())
    archive.run("--uninstall", "--purge")
    assert node.run("semodule -l | grep -x instorage", check=False).exit_status == 1
    assert node.run("getenforce").stdout.strip() == "Enforcing"


@IN_SOAK
@pytest.mark.timeout(3000)  # the guest itself links the policy three times
def test_the_module_goes_out_of_a_policy_and_comes_into_it_with_every_label(
    node: Machine, enforced: Product, make_volume: MakeVolume, archive: Unpacked, link: str
) -> None:
    """The images begin with the module; here semodule takes it out, and load.sh loads what users get."""
    listed = "semodule -l | grep -x instorage"
    archive.run("--uninstall", check=False)  # by itself this test finds an installation
    assert node.run(listed, LIMIT, check=False).exit_status == 1
    assert node.run("test -e /etc/instorage/selinux-policy", LIMIT, check=False).exit_status == 1
    enforced.install_from(archive)
    node.run(listed, LIMIT)
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    domains = DOMAINS | OF_LINK[link]
    assert {unit: domain(node, unit, LIMIT) for unit in domains} == domains
    succeeded(pod.end_pod())
    archive.run("--provisioner")
    assert node.run(WRONG.format(" ".join(PLACES)), 600).stdout == ""
    archive.run("--node", "--plugin-dir", ELSEWHERE)
    node.run("semodule -l | grep -x instorage_places", LIMIT)
    assert node.run(f"find {ELSEWHERE} -name instorage-flexvolume -type f", LIMIT).stdout
    assert node.run(WRONG.format(" ".join(PLACES)), 600).stdout == ""
