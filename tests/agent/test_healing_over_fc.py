"""A port of Fibre Channel that comes after the attach: its paths are added, and expected from then on."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.values import VolumeUid
from tests.agent.attribute import show
from tests.agent.bench import GIB, Bench, compared, until
from tests.agent.simulated_array import WWPNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = 60.0
ADAPTER = 3  # SCSI host of the first adapter


class Fabric:
    """A bench whose second adapter has no login at first; a volume has a map in sysfs, a disk a port."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.sys = bench.directory / "sys"
        plain = bench.helper.do_attach

        def attach(asked: dict[str, Any]) -> dict[str, Any]:
            """What the helper found becomes what the kernel shows."""
            said = plain(asked)
            for path in asked["fc_paths"]:
                self.show(asked["uid"], path["target"])
            return said

        bench.helper.do_attach = attach  # type: ignore[method-assign]

    def log_in(self, adapter: int, *nodes: int) -> None:
        """Have the adapter be logged in to these nodes of the array, and the kernel know their ports."""
        self.bench.do("logins", port=WWPNS[adapter], nodes=[*nodes])
        rows = self.bench.array._cli.rows("lsfabric", "-host", "fc-node1")
        mine = [row["local_wwpn"] for row in rows if row["remote_wwpn"] == WWPNS[adapter]]
        assert len(mine) == len(nodes)
        for number, port in enumerate(mine, 1):
            self.bench.see(adapter, number, port.lower())

    def show(self, uid: str, port: str) -> None:
        """A disk of the volume behind that port, in its map."""
        number = int(port[-4:], 16)
        device = self.sys / f"devices/host{ADAPTER}/rport-{self._remote(port)}/{number}:0:0:0"
        if device.exists():
            return
        _write(device, state="running")
        block = self.sys / f"block/sd{number}"
        _write(block, dev=f"8:{number}")
        (block / "device").symlink_to(device)
        at = self.sys / "block/dm-0"
        _write(at / "dm", uuid=f"mpath-3{uid}")
        _write(at, size=str(GIB // 512))
        _write(at / "slaves", **{block.name: ""})

    def _remote(self, port: str) -> str:
        at = self.sys / "class/fc_remote_ports"
        (name,) = (one.parent.name for one in at.glob("*/port_name") if port in one.read_text())
        return name.removeprefix("rport-")

    def disks(self) -> int:
        """How many disks are in the map."""
        return len(list((self.sys / "block/dm-0/slaves").iterdir()))

    def look(self) -> None:
        """As an event of the kernel has it done."""
        self.bench.agent._node.expected.look()

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """Let no look begin meanwhile, as if all of it came at once: one of the set-up may be under way."""
        healer, eyes = self.bench.agent.healer, threading.Lock()
        plain = healer._look_at

        def look_at(uids: frozenset[VolumeUid] | None) -> None:
            with eyes:
                plain(uids)

        healer._look_at = look_at  # type: ignore[method-assign]
        with eyes:
            yield


def _write(folder: Path, **attributes: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in attributes.items():
        show(folder / name, value)


@pytest.fixture
def fabric(directory: Path, portal: Callable[[], str]) -> Iterator[Fabric]:
    """A volume that a pod uses over the one port that the first adapter sees."""
    bench = Bench(directory, {1: portal(), 2: portal()}, look=0.1)
    bench.plug()
    bench.array._cli.operate("mkhost", "-force", "-hbawwpn", ":".join(WWPNS), "-name", "fc-node1")
    made = Fabric(bench)
    made.log_in(0, 1)
    bench.create("pvc-1")
    bench.start()
    compared()
    bench.use("pvc-1")
    assert made.disks() == 1
    yield made
    bench.close()


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


def test_a_port_that_comes_late_is_asked_for_and_its_path_is_added(fabric: Fabric) -> None:
    fabric.log_in(1, 2)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    asked = fabric.bench.helper.last("Attach")
    assert asked["add_only"] is True
    assert len(asked["fc_paths"]) == 1, "a path that works was asked for, too"
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)


def test_a_path_that_the_kernel_added_by_itself_is_missed_when_it_goes(
    fabric: Fabric, caplog: pytest.LogCaptureFixture
) -> None:
    with fabric.unseen():
        fabric.log_in(1, 2)
        port = next(fabric.sys.glob("class/fc_remote_ports/rport-4:0-1/port_name"))
        (uid,) = fabric.bench.helper.devices
        fabric.show(uid, port.read_text().strip().removeprefix("0x"))
    fabric.look()
    until(lambda: len(fabric.bench.agent._node.expected.ends("storage-01")) == 2, LONG)
    show(port.with_name("port_state"), "Blocked")
    fabric.look()
    until(lambda: said(caplog, "is lost for volume pvc-1"), LONG)
    assert fabric.bench.helper.verbs().count("Attach") == 1, "there was nothing to add"


def test_what_the_array_does_not_show_just_now_stays_expected(
    fabric: Fabric, caplog: pytest.LogCaptureFixture
) -> None:
    """An attach, or the comparison at a start, while a cable is out: the path is lost, and not forgotten."""
    fabric.log_in(1, 2)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    fabric.bench.do("logins", port=WWPNS[1], nodes=[])
    show(next(fabric.sys.glob("class/fc_remote_ports/rport-4:0-1/port_state")), "Blocked")
    fabric.look()
    until(lambda: said(caplog, "is lost for volume pvc-1"), LONG)
    max((fabric.sys / "block/dm-0/slaves").iterdir()).unlink()  # the kernel waits for no port for ever
    fabric.bench.attach("pvc-1").success()
    looks = fabric.bench.agent.healer.looks
    until(lambda: fabric.bench.agent.healer.looks > looks + 5, LONG)
    assert not said(caplog, "is not waited for")
    assert not said(caplog, "is back for")


def test_another_arrays_port_is_asked_about_for_a_while(
    fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric.bench.see(0, 9, "5006016012345678")
    fabric.bench.reset()
    fabric.look()
    until(lambda: "lsfabric" in fabric.bench.commands(), LONG)
    assert fabric.bench.agent.healer._pause() is not None
    monkeypatch.setattr("nodeagent.recovery.arrivals.LATE_SECONDS", 0.0)
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)
    assert fabric.bench.commands().count("lsfabric") == 1, "it is asked at each look"


def test_ports_that_zoning_gives_others_are_not_waited_for_after_all_cables_were_out(
    fabric: Fabric, caplog: pytest.LogCaptureFixture
) -> None:
    """While an array shows no login it names every port that it has."""
    fabric.bench.do("logins", port=WWPNS[0], nodes=[])
    state = next(fabric.sys.glob("class/fc_remote_ports/rport-3:0-1/port_state"))
    show(state, "Blocked")
    fabric.bench.reset()
    fabric.look()
    until(lambda: said(caplog, "has no path left, its only one is lost"), LONG)
    until(lambda: "lstargetportfc" in fabric.bench.commands(), LONG)
    looks = fabric.bench.agent.healer.looks
    until(lambda: fabric.bench.agent.healer.looks > looks + 5, LONG)
    assert len(fabric.bench.agent._node.expected.ends("storage-01")) == 1
    show(state, "Online")
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)


def test_a_volume_that_was_attached_while_a_cable_was_out_has_all_paths_once_it_is_back(
    fabric: Fabric,
) -> None:
    """The array's ports were seen half, and by then each is known of another volume."""
    fabric.log_in(1, 2)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)
    fabric.bench.do("logins", port=WWPNS[1], nodes=[])
    state = next(fabric.sys.glob("class/fc_remote_ports/rport-4:0-1/port_state"))
    show(state, "Blocked")
    fabric.look()
    node = fabric.bench.agent._node
    until(lambda: fabric.bench.agent.healer._again, LONG)
    until(lambda: "lsfabric" in fabric.bench.commands(), LONG)
    uid = VolumeUid.parse(fabric.bench.create("pvc-2"))
    fabric.bench.attach("pvc-2").success()
    assert len(node.expected.of(uid) or ()) == 1
    fabric.bench.do("logins", port=WWPNS[1], nodes=[2])
    show(state, "Online")
    until(lambda: len(node.expected.of(uid) or ()) == 2, LONG)
    fabric.bench.reset()
    fabric.bench.create("pvc-3")
    fabric.bench.attach("pvc-3").success()
    assert len(fabric.bench.helper.last("Attach")["fc_paths"]) == 2, "it is remembered how it was meanwhile"
