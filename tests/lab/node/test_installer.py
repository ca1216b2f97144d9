"""install.sh on a node with a true systemd: over a checkout, with pods running and calls under way."""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from instorage.version import VERSION
from tests.soak import WHOLE
from tools.install import PLUGIN, ROOT
from tools.lab.kubelet import END, START, Kubelet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.kubelet import Answer
    from tools.lab.product import Product

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]
CALLS = 20 if WHOLE else 8  # under way at the same time
NEWER = "99.0"
SOCKETS = "stat -c %i /run/instorage/agent.sock /run/instorage/helper.sock"
MOVED = "/var/lib/kubelet/volumeplugins"
IN_FORCE = (
    "readlink /proc/$(systemctl show -p MainPID --value instorage-nodeagent)/exe | "
    "sed 's,^/usr/lib/instorage/,,;s,/.*,,'"
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive for this processor, as `make dist` packs it, unpacked."""
    argv = [sys.executable, "-m", "tools.dist", "--arch", platform.machine(), "--into", "build/dist"]
    subprocess.run(argv, cwd=ROOT, check=True, timeout=1200)
    packed = ROOT / f"build/dist/instorage-k8s_{VERSION}_{platform.machine()}.tar.gz"
    directory = tmp_path_factory.mktemp("archive")
    with tarfile.open(packed) as tar:
        tar.extractall(directory, filter="tar")
    return next(directory.iterdir())


@pytest.fixture(scope="module")
def newer(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same under a later name."""
    top = tmp_path_factory.mktemp("newer") / f"instorage-k8s_{NEWER}_x86_64"
    shutil.copytree(archive, top, symlinks=True)
    (top / "VERSION").write_text(f"{NEWER}\n")
    return top


def install(machine: Machine, top: Path, *arguments: str, status: int = 0) -> str:
    """Run install.sh of an unpacked archive on a node; return everything that it said."""
    if machine.run(["test", "-d", f"/root/{top.name}"], check=False).exit_status:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:  # what is compiled, too
            tar.add(top, arcname=top.name)
        machine.put_tree("/root", packed.getvalue())
    ran = machine.run(["sh", f"/root/{top.name}/install.sh", *arguments], timeout=600, check=False)
    assert ran.exit_status == status, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def succeeded(answers: list[Answer]) -> None:
    failed = [f"{answer.call}: {answer.message}" for answer in answers if not answer.success]
    assert not failed, failed


@pytest.fixture(scope="module")
def version(product: Product, archive: Path) -> str:
    """The archive is installed over what the lab installed as from a checkout."""
    install(product.machine, archive, "--node")
    return (archive / "VERSION").read_text().strip()


def test_a_checkouts_installation_gives_way_under_a_running_pod(
    product: Product, node: Machine, make_volume: MakeVolume, archive: Path
) -> None:
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    node.put(f"{pod.pod_directory}/row", "forty-two")
    configuration = f"stat -c '%U:%G %a %i' /{PLUGIN}/config/instorage.yaml"
    before = node.run(f"{SOCKETS}; {configuration}").stdout
    install(node, archive, "--node")
    assert node.run(f"{SOCKETS}; {configuration}").stdout == before
    said = (archive / "VERSION").read_text().strip()
    assert node.run(IN_FORCE).stdout.strip() == said
    assert node.run("ls /usr/lib/instorage").stdout.split() == [said, "current"]
    assert node.read(f"{pod.pod_directory}/row") == b"forty-two"
    succeeded(pod.end_pod())


def test_no_call_fails_while_versions_change(
    node: Machine, make_volume: MakeVolume, version: str, archive: Path, newer: Path
) -> None:
    pods = [Kubelet(node, make_volume()) for _ in range(CALLS)]
    for top, calls in ((newer, START), (archive, END)):
        install(node, top, "--check", "--node")  # unpacked before the calls begin
        with ThreadPoolExecutor(CALLS) as pool:
            answers = [pool.submit(lambda pod=pod, calls=calls: list(pod.calls(*calls))) for pod in pods]
            install(node, top, "--node")
            for answer in answers:
                succeeded(answer.result())
    assert node.run(IN_FORCE).stdout.strip() == version


def test_a_version_that_does_not_run_is_taken_back_and_the_pod_goes_on(
    node: Machine, make_volume: MakeVolume, version: str, newer: Path, tmp_path: Path
) -> None:
    top = tmp_path / "broken"
    shutil.copytree(newer, top, symlinks=True)
    (top / "VERSION").write_text("99.1\n")
    (top / "node/libexec/instorage-nodeagent").write_text("#!/bin/sh\nexit 1\n")
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    said = install(node, top, "--node", status=3)
    assert "journalctl -u instorage-nodeagent" in said
    assert "the version of before is in force again" in said
    assert node.run(IN_FORCE).stdout.strip() == version
    succeeded(pod.end_pod())


def test_kubelets_other_plugin_directory_has_stub_socket_and_configuration(
    node: Machine, version: str, archive: Path
) -> None:
    install(node, archive, "--node", "--plugin-dir", MOVED)
    place = f"{MOVED}/{PLUGIN.rpartition('/')[2]}"
    try:
        asked = f"INSTORAGE_AGENT_SOCKET={place}/.agent.sock {place}/instorage-flexvolume are-you-there"
        assert "Not supported" in node.run(asked).stdout
        checked = node.run(f"{place}/instorage-flexvolume ext-check-cfg").stdout
        assert f"The configuration {place}/config/instorage.yaml is correct. Arrays" in checked
        assert f"plugin_directory = {place}\n" in node.read("/run/instorage/helper-defaults.conf").decode()
    finally:
        install(node, archive, "--node", "--plugin-dir", f"/{PLUGIN}".rpartition("/")[0])


def test_a_node_is_left_as_if_nothing_had_been_there(
    node: Machine, make_volume: MakeVolume, version: str, archive: Path
) -> None:
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    said = install(node, archive, "--uninstall", "--purge", status=1)
    assert f"mounted: {pod.pod_directory}" in said
    assert f"attached: {pod.volume}" in said
    succeeded(pod.end_pod())
    install(node, archive, "--uninstall", "--purge")
    assert not node.run("systemctl list-units --all --no-legend 'instorage*'").stdout.strip()
    assert not node.run("find / -xdev -name '*instorage*' ! -path '/root/*'").stdout.strip()
