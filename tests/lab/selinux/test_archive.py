"""Enforcing, what users get, with our own Python: installed, a volume's life, upgraded under it, and gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import succeeded
from tests.lab.releases.test_upgrade import LATER, runs
from tests.soak import IN_SOAK
from tools.lab.kubelet import Kubelet
from tools.lab.policy import load
from tools.lab.product import Product
from tools.lab.progress import to_stderr
from tools.selinux.linked import audited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.selinux.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.archive import Unpacked

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500), IN_SOAK]


@pytest.fixture(scope="module")
def enforced(archive: Unpacked) -> Iterator[Product]:
    """The product, which its installer has put on a node that enforces."""
    product = Product(archive.machine)
    load(product.machine, audited(to_stderr))
    product.machine.run("auditctl -b 65536 && setenforce 1")
    product.install_from(archive)
    yield product
    product.machine.run("setenforce 0")


def test_it_works_is_upgraded_under_a_volume_and_goes(
    node: Machine, make_volume: MakeVolume, archive: Unpacked
) -> None:
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    archive.variant(LATER).run("--node")
    assert runs(node) == LATER
    own = node.run("cat /proc/$(systemctl show -p MainPID --value instorage-nodeagent)/attr/current").stdout
    assert ":instorage_agent_t:" in own
    succeeded(pod.end_pod())
    archive.run("--uninstall", "--purge")
    assert node.run("semodule -l | grep -x instorage", check=False).exit_status == 1
    assert node.run("getenforce").stdout.strip() == "Enforcing"
