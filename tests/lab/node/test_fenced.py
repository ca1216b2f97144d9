"""A node that is stopped, frozen or reset into its firmware with a volume mounted, and fenced from it.

As long as the array says that it is logged in its volume stays; then another node gets it, with every
committed row; and what comes back to life writes nothing any more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.soak import IN_SOAK
from tools.lab.fibre_channel import san_over
from tools.lab.kubelet import Kubelet
from tools.lab.product import Product, host_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Lab, Machine
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), IN_SOAK]
LOGGED_OUT = 240.0  # seconds until the array has missed a machine
WRITER = "while date +%s%N >>{0}/rows && sync {0}/rows; do :; done"


def until(look: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)


@pytest.fixture(scope="module", params=["iscsi", "fc"])
def link(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def san(lab: Lab, link: str) -> Iterator[San]:
    """An array for both nodes; all machines are fresh: one may be off, paused or in reset."""
    lab.start("array", "a", "b")
    lab.fresh()
    with san_over(link, lab, nodes=("a", "b")) as san:
        yield san


@pytest.fixture
def product(lab: Lab, san: San, link: str) -> Product:
    """The product on node a, from which the administrator works."""
    product = Product(lab.node("a"), host=host_settings(link))
    product.install()
    return product


@pytest.fixture
def lost(lab: Lab, san: San, link: str, product: Product) -> Iterator[Product]:
    """The product on node b, which is going to be lost, and at the end is off: nobody may wait for it."""
    other = Product(lab.node("b"), host=host_settings(link))
    other.install()
    yield other
    other.machine.kill()


def started(kubelet: Kubelet) -> Kubelet:
    answers = kubelet.start_pod()
    assert all(answer.success for answer in answers), [answer.message for answer in answers]
    return kubelet


@pytest.fixture
def writing(lost: Product, make_volume: MakeVolume) -> Kubelet:
    """A pod on node b that writes, and has written a row for sure."""
    kubelet = started(Kubelet(lost.machine, make_volume(), node="nodeb"))
    lost.machine.run(f"echo from b >{kubelet.pod_directory}/row; sync {kubelet.pod_directory}/row")
    writer = WRITER.format(kubelet.pod_directory)
    lost.machine.run(["systemd-run", "-q", "--unit=writer", "sh", "-c", writer])
    first = f"test $(wc -l <{kubelet.pod_directory}/rows) -gt 1"  # the one before it is on the disk
    until(lambda: not lost.machine.run(first, check=False).exit_status, "rows are written")
    return kubelet


def stopped(machine: Machine) -> None:
    """A power failure."""
    machine.kill()


def frozen(machine: Machine) -> None:
    """Its kernel stands still: its HBA or network card may answer, and nobody writes."""
    machine.note_denials()
    machine.pause()


def in_firmware(machine: Machine) -> None:
    """It is reset, and stands in its firmware, whose registers have 32 bits, its kernel's 64."""
    machine.note_denials()
    machine.monitor("system_reset")
    until(lambda: "EIP=" in machine.monitor("info registers"), "it is in its firmware", 5)
    machine.pause()
    assert "EIP=" in machine.monitor("info registers"), "its kernel runs already"


def mapped(san: San, volume: str) -> str:
    return str([row["maps"] for row in san.control.do("volumes") if row["name"] == volume])


def offline(san: San, link: str) -> bool:
    """The array's word for the host object of node b."""
    return "status!offline" in san.command(f"mcsinq lshost -delim ! {link}-nodeb").splitlines()


@pytest.mark.parametrize("lose", [stopped, frozen, in_firmware])
def test_a_lost_nodes_volume_stays_until_the_array_misses_the_node_and_goes_then_with_every_committed_row(
    san: San,
    link: str,
    product: Product,
    lost: Product,
    writing: Kubelet,
    lose: Callable[[Machine], None],
) -> None:
    node, volume = product.machine, writing.volume
    lives = node.run("instoragectl fence nodeb", 120, check=False)
    assert lives.exit_status == 1
    assert "is logged in" in lives.stdout + lives.stderr
    began = time.monotonic()
    lose(lost.machine)
    here = Kubelet(node, volume, node="nodea")
    refused = here.call("waitforattach")
    assert "nodeb" in refused.message, refused.message
    if not offline(san, link):
        shown = node.run("instoragectl fence nodeb --plan", 120, check=False)
        if shown.exit_status:  # else the array missed it meanwhile: the command takes a guest 20 s
            assert "is logged in" in shown.stdout + shown.stderr
    assert "nodeb" in mapped(san, volume)
    until(lambda: offline(san, link), "logged out", LOGGED_OUT)
    print(f"{link}, {lose.__name__}: missed by the array after {time.monotonic() - began:.0f} s")
    shown = node.run("instoragectl fence nodeb --plan", 120)
    assert f"Volume {volume} on array storage-01 would be unmapped" in shown.stdout
    assert "nodeb" in mapped(san, volume)
    print(node.run("instoragectl fence nodeb", 120).stdout)
    assert "nodeb" not in mapped(san, volume)
    started(here)
    assert node.read(f"{here.pod_directory}/row") == b"from b\n"
    assert all(answer.success for answer in here.end_pod())


def test_a_frozen_node_that_comes_back_writes_nothing_any_more_and_gets_rid_of_its_leftovers(
    san: San, link: str, product: Product, lost: Product, writing: Kubelet
) -> None:
    frozen(lost.machine)
    until(lambda: offline(san, link), "logged out", LOGGED_OUT)
    product.machine.run("instoragectl fence nodeb", 120)
    here = started(Kubelet(product.machine, writing.volume, node="nodea"))
    rows = product.machine.read(f"{here.pod_directory}/rows")
    product.machine.put(f"{here.pod_directory}/row", "from a")

    lost.machine.resume()
    writer = "systemctl is-active -q writer"
    until(lambda: lost.machine.run(writer, 120, check=False).exit_status != 0, "its writer met an error", 240)
    assert product.machine.read(f"{here.pod_directory}/rows") == rows
    assert product.machine.read(f"{here.pod_directory}/row") == b"from a"
    lost.machine.run("systemctl restart instorage-nodeagent", 120)
    said = f"no longer maps volume {writing.volume} to this host"
    until(lambda: any(said in str(r.get("MESSAGE")) for r in lost.journal()), "its agent says it", 180)
    until(lambda: all(answer.success for answer in writing.end_pod()), "its pod ends", 240)
    until(lambda: not lost.residue(), "nothing is left on node b", 120)
    assert all(answer.success for answer in here.end_pod())
    again = started(Kubelet(product.machine, writing.volume, node="nodea"))
    assert product.machine.read(f"{again.pod_directory}/row") == b"from a", "its file system is whole"
    assert product.machine.read(f"{again.pod_directory}/rows") == rows, "on the disk, not in a's memory"
    assert all(answer.success for answer in again.end_pod())


@pytest.mark.parametrize("link", ["fc"], indirect=True)
def test_an_hba_that_stays_logged_in_is_ended_by_the_command_that_the_refusal_names(
    san: San, product: Product, lost: Product, writing: Kubelet
) -> None:
    """A software HBA ends with its kernel; one of hardware does not, as the array is told here."""
    stopped(lost.machine)
    until(lambda: offline(san, "fc"), "logged out", LOGGED_OUT)
    wwpn = lost.machine.role.wwpns[0]
    san.control.do("logins", port=wwpn, nodes=[1])
    shown = product.machine.run("instoragectl fence nodeb", 120, check=False)
    command = f"mcsop rmhostport -hbawwpn {wwpn} fc-nodeb"
    assert shown.exit_status == 1
    assert command in shown.stdout + shown.stderr
    assert "nodeb" in mapped(san, writing.volume)
    san.command(command)
    product.machine.run("instoragectl fence nodeb", 120)
    assert "nodeb" not in mapped(san, writing.volume)
    here = started(Kubelet(product.machine, writing.volume, node="nodea"))
    assert all(answer.success for answer in here.end_pod())


def test_what_a_volume_unmapped_behind_our_back_still_writes_reaches_no_other(
    san: San, product: Product, link: str, make_volume: MakeVolume
) -> None:
    node = product.machine
    first = started(Kubelet(node, make_volume(), node="nodea"))
    san.command(f"mcsop rmvdiskhostmap -host {link}-nodea {first.volume}")
    second = started(Kubelet(node, make_volume(), node="nodea"))
    maps = {row["name"]: row["maps"] for row in san.control.do("volumes")}
    assert maps[first.volume] == []
    assert maps[second.volume][0]["lun"] == 1, "0 has disks of the first volume here"
    node.run(f"timeout 60 sh -c 'echo late >{first.pod_directory}/late; sync {first.pod_directory}/late'",
             120, check=False)  # fmt: skip
    assert all(answer.success for answer in second.end_pod())
    again = started(Kubelet(node, second.volume, node="nodea"))
    assert node.run(["ls", again.pod_directory]).stdout.split() == ["lost+found"]
    assert all(answer.success for answer in again.end_pod())
    until(lambda: all(answer.success for answer in first.end_pod()), "the first pod ends", 240)
