"""install.sh over what a checkout has installed, under load; another plugin directory; and gone again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.load import Load, succeeded
from tests.lab.releases.test_upgrade import BROKEN, DIES, LATER, runs
from tests.soak import IN_SOAK
from tools.install import LIBEXEC, LIBRARY, NODE, PLUGIN
from tools.lab.archive import built
from tools.lab.kubelet import END, START, Answer, Kubelet

if TYPE_CHECKING:
    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.archive import Unpacked
    from tools.lab.product import Product
    from tools.lab.san import San

# Every day an archive over another in tests/lab/releases; all of it in tests/packaging/test_live_node.py.
pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500), IN_SOAK]
PODS = 8
MOVED = "/var/lib/kubelet/volumeplugins"
VERSION = NODE.prefix.rpartition("/")[2]
OTHERS = " ".join(
    f"! -path '{path}/*'" for path in ("/root", "/var/lib/kubelet/pods", "/var/lib/kubelet/plugins")
)
KEEP = f"cp -a /{NODE.prefix} /root/environment"
CLEAR = f"""
systemctl stop instorage-node.target; rm -rf /{LIBRARY} /{LIBEXEC} /usr/sbin/instoragectl
mkdir /{LIBRARY} && cp -a /root/environment /{NODE.prefix}
"""
# As checkouts had it before versions had directories: one environment, and programs instead of links.
ONE_DIRECTORY = f"""
set -e; systemctl stop instorage-node.target; cd /{LIBRARY}
for program in {VERSION}/libexec/*; do
    case $program in */instoragectl) place=/usr/sbin ;; *) place=/{LIBEXEC} ;; esac
    sed '1s,/{VERSION}/,/,' $program >$place/.new; chmod 755 $place/.new
    mv $place/.new $place/${{program##*/}}
done
rm -r current {VERSION}/libexec; mv {VERSION}/* .; rmdir {VERSION}
systemctl start instorage-node.target
"""


@pytest.fixture(scope="module")
def environment(product: Product) -> None:
    """Keep a copy of the environment of a checkout, which an archive takes away."""
    product.machine.run(KEEP)


@pytest.fixture(scope="module")
def archive(product: Product) -> Unpacked:
    """The archive, unpacked on the node."""
    return built().put_on(product.machine)


@pytest.fixture(params=["one directory", "a directory a version"])
def checkout(environment: None, product: Product, request: pytest.FixtureRequest) -> str:
    """What a checkout has installed, runs: as before, or as today."""
    product.machine.run(CLEAR, 120)
    product.install()
    if request.param == "one directory":
        product.machine.run(ONE_DIRECTORY, 120)
    return runs(product.machine)


def test_a_checkouts_installation_goes_on_under_a_broken_archive_and_gives_way_to_a_good_one(
    checkout: str, product: Product, san: San, archive: Unpacked
) -> None:
    machine = product.machine
    failed = archive.variant(BROKEN, DIES).run("--node", check=False)
    assert failed.exit_status == 3
    assert "the version of before is in force again" in failed.stderr
    assert runs(machine) == checkout
    upgraded = Load(machine, san).through(lambda: archive.run("--node", check=False))
    assert (upgraded.exit_status, upgraded.stderr) == (0, "")
    version = machine.run("readlink /usr/lib/instorage/current").stdout.strip()
    assert version.startswith(archive.version)  # ".2" behind it where the checkout had that name
    assert runs(machine) == version
    assert set(machine.run("ls /usr/lib/instorage").stdout.split()) == {version, "current"}


@pytest.fixture(scope="module")
def installed(product: Product, archive: Unpacked) -> str:
    """The version of the archive, which runs."""
    archive.run("--node")
    return runs(product.machine)


def made(pod: Kubelet, calls: tuple[str, ...]) -> list[Answer]:
    return list(pod.calls(*calls))


def test_no_pod_fails_to_start_or_end_while_versions_change(
    node: Machine, make_volume: MakeVolume, installed: str, archive: Unpacked
) -> None:
    pods = [Kubelet(node, make_volume()) for _ in range(PODS)]
    for version, calls in ((archive.variant(LATER), START), (archive, END)):
        with ThreadPoolExecutor(PODS) as pool:
            answers = [pool.submit(made, pod, calls) for pod in pods]
            version.run("--node")
            for answer in answers:
                succeeded(answer.result())
    assert runs(node) == installed


def test_kubelets_other_plugin_directory_has_stub_socket_and_configuration(
    node: Machine, installed: str, archive: Unpacked
) -> None:
    archive.run("--node", "--plugin-dir", MOVED)
    place = f"{MOVED}/{PLUGIN.rpartition('/')[2]}"
    try:
        asked = f"INSTORAGE_AGENT_SOCKET={place}/.agent.sock {place}/instorage-flexvolume are-you-there"
        assert "Not supported" in node.run(asked, check=False).stdout
        checked = node.run(f"{place}/instorage-flexvolume ext-check-cfg").stdout
        assert f"The configuration {place}/config/instorage.yaml is correct. Arrays" in checked
        assert f"plugin_directory = {place}\n" in node.read("/run/instorage/helper-defaults.conf").decode()
    finally:
        archive.run("--node", "--plugin-dir", f"/{PLUGIN}".rpartition("/")[0])


def test_a_node_is_left_as_if_nothing_had_been_there(
    node: Machine, make_volume: MakeVolume, installed: str, archive: Unpacked
) -> None:
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    refused = archive.run("--uninstall", "--purge", check=False)
    assert refused.exit_status == 1
    assert f"mounted: {pod.pod_directory}" in refused.stderr
    assert f"attached: {pod.volume}" in refused.stderr
    succeeded(pod.end_pod())
    archive.run("--uninstall", "--purge")
    assert not node.run("systemctl list-units --all --no-legend 'instorage*'").stdout.strip()
    assert not node.run(f"find / -xdev -name '*instorage*' {OTHERS}").stdout.strip()
