"""What an administrator reads when something is wrong names the thing and the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.soak import IN_SOAK, in_turn
from tools.lab.kubelet import Kubelet
from tools.lab.product import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, in_turn(1, 2)]


def refusal(kubelet: Kubelet, call: str = "waitforattach") -> str:
    answer = kubelet.call(call)
    assert answer.answer["status"] == "Failure"
    assert answer.status == 1
    print(answer.message)
    return answer.message


@pytest.fixture
def stopped_array(san: San) -> Iterator[None]:
    san.stop()
    yield
    san.start()


def test_an_unknown_volume(node: Machine) -> None:
    said = refusal(Kubelet(node, "pvc-nowhere"))
    assert "pvc-nowhere" in said
    assert "storage-01" in said


def test_a_name_of_64_characters(node: Machine) -> None:
    said = refusal(Kubelet(node, "p" * 64))
    assert "63" in said


def test_a_wrong_password_then_the_right_one_without_a_restart(
    node: Machine, product: Product, make_volume: MakeVolume
) -> None:
    kubelet = Kubelet(node, make_volume())
    product.password = "not-the-password"
    product.configure()
    said = refusal(kubelet)
    assert "storage-01" in said
    assert "password" in said
    assert "not-the-password" not in said
    product.password = PASSWORD
    product.configure()
    answers = [kubelet.call(call) for call in ("waitforattach", "mountdevice", "unmountdevice")]
    assert all(answer.success for answer in answers), answers


@IN_SOAK  # half a minute; every day natively
def test_an_unreachable_array(node: Machine, stopped_array: None) -> None:
    said = refusal(Kubelet(node, "pvc-any"))
    assert "storage-01" in said
    assert "10.0.2.100" in said


def test_a_changed_host_key(node: Machine, make_volume: MakeVolume) -> None:
    known = node.run("find /var/lib/instorage -name known_hosts").stdout.split()
    assert known, "the host key was not pinned"
    kubelet = Kubelet(node, make_volume())
    kept = node.read(known[0])
    other = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0Q0a0y7H8Lw8d7dA0kL6mVXy3l4Jk0m0sYxq0Qm1aB"
    host = kept.decode().split()[0]
    node.put(known[0], f"{host} ssh-ed25519 {other}\n")
    node.run("systemctl restart instorage-nodeagent")
    try:
        said = refusal(kubelet)
    finally:
        node.put(known[0], kept)
        node.run("systemctl restart instorage-nodeagent")
    assert "known_hosts" in said
    assert "storage-01" in said


def test_iscsiadm_is_not_installed(node: Machine, make_volume: MakeVolume) -> None:
    kubelet = Kubelet(node, make_volume())
    program = node.run(
        "iscsiadm -m node -U all >/dev/null; readlink -f $(command -v iscsiadm)"
    ).stdout.strip()
    node.run(f"mv {program} {program}.away")
    try:
        said = refusal(kubelet)
    finally:
        node.run(f"mv {program}.away {program}")
    assert "iscsiadm" in said
    assert "open-iscsi" in said


def test_a_typo_in_the_configuration_keeps_the_old_one_in_force(
    node: Machine, product: Product, make_volume: MakeVolume
) -> None:
    with product.configured(forceUseMultipaht=True):
        kubelet = Kubelet(node, make_volume())
        answers = [kubelet.call(call) for call in ("waitforattach", "mountdevice", "unmountdevice")]
    assert all(answer.success for answer in answers), answers
    assert "forceUseMultipaht" in answers[0].message
    assert "forceUseMultipath" in answers[0].message


def test_a_stopped_and_a_hung_agent(node: Machine) -> None:
    kubelet = Kubelet(node, "pvc-any")
    node.run("systemctl kill -s STOP instorage-nodeagent")
    try:
        stuck = node.run(
            "INSTORAGE_STUB_DEADLINE_MS=1500 /usr/libexec/kubernetes/kubelet-plugins/volume/exec/"
            "inspur~instorage-flexvolume/instorage-flexvolume unmount /var/lib/kubelet/x",
            check=False,
        )
    finally:
        node.run("systemctl kill -s CONT instorage-nodeagent")
    assert stuck.exit_status == 1
    assert stuck.stderr == ""
    assert '"status":"Failure"' in stuck.stdout.replace(" ", "")
    node.run("systemctl stop instorage-node.target")
    try:
        said = refusal(kubelet)
    finally:
        node.run("systemctl start instorage-node.target")
    assert "instorage-nodeagent" in said
    assert "agent.sock" in said


def test_a_restart_of_the_agent_keeps_its_sockets_for_the_calls_that_wait(node: Machine) -> None:
    inode = "stat -c %i /run/instorage/agent.sock"
    before = node.run(inode).stdout
    node.run("systemctl restart instorage-nodeagent")
    node.run("systemctl kill -s KILL instorage-nodeagent && systemctl start instorage-nodeagent")
    assert node.run(inode).stdout == before
    assert "pvc-any" in refusal(Kubelet(node, "pvc-any"))


def test_a_full_pool(node: Machine, product: Product) -> None:
    stub = (
        "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume/instorage-flexvolume"
    )
    options = '{"inspur.com/volPoolName": "Pool1"}'
    ran = node.run([stub, "create", "too-big", "100000", options], check=False)
    print(ran.stdout, ran.stderr)
    assert ran.exit_status == 1
    assert "Pool1" in ran.stdout + ran.stderr
    assert "free" in ran.stdout + ran.stderr
