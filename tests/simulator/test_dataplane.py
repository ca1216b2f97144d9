"""The engine and what exports the volumes stay in step, over the wire too, whatever fails.

LIO itself is tested in the lab (tests/lab/test_dataplane.py); here a shelf in memory stands in its place,
because it can be told to fail.
"""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from simulator.dataplane.plane import DataPlaneError, Inventory, Lun, Target
from simulator.dataplane.remote import RemoteDataPlane
from simulator.dataplane.server import answer
from tests.simulator.conftest import IQN, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from simulator.array import Simulator

SECOND = f"{IQN}-2"
CREATE = "mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0"


class Shelf:
    """A data plane in memory. `failing` maps a verb to the number of calls that go well before one fails."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.volumes: dict[str, int] = {}
        self.initiators: set[str] = set()
        self.luns: dict[tuple[str, int], str] = {}
        self.failing: dict[str, int] = {}

    def _call(self, verb: str) -> None:
        if verb in self.failing:
            self.failing[verb] -= 1
            if self.failing[verb] < 0:
                del self.failing[verb]
                raise DataPlaneError(f"{verb} fails")

    def open(self, targets: list[Target]) -> None:
        self.targets = targets

    def admit(self, iqn: str) -> None:
        self._call("admit")
        self.initiators.add(iqn)

    def expel(self, iqn: str) -> None:
        self._call("expel")
        self.initiators.discard(iqn)

    def map(self, uid: str, size: int, iqn: str, lun: int) -> None:
        self._call("map")
        assert iqn in self.initiators
        assert self.luns.get((iqn, lun), uid) == uid
        self.volumes.setdefault(uid, size)
        self.luns[iqn, lun] = uid

    def unmap(self, iqn: str, lun: int) -> None:
        self._call("unmap")
        self.luns.pop((iqn, lun), None)

    def delete(self, uid: str) -> None:
        self._call("delete")
        assert uid not in self.luns.values()
        self.volumes.pop(uid, None)

    def resize(self, uid: str, size: int) -> None:
        self._call("resize")
        self.volumes[uid] = size

    def usage(self) -> dict[str, int]:
        return dict.fromkeys(self.volumes, 4096)

    def sessions(self) -> dict[str, list[int]]:
        self._call("sessions")
        return {iqn: [1, 2] for iqn in self.initiators}

    def portal(self, node: int, *, up: bool) -> None:
        self._call("portal")

    def drop(self, iqn: str) -> None:
        self._call("drop")

    def inventory(self) -> Inventory:
        luns = [Lun(iqn, lun, uid) for (iqn, lun), uid in self.luns.items()]
        return Inventory(dict(self.volumes), sorted(self.initiators), luns)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def array(start: Callable[..., Simulator], shelf: Shelf) -> Simulator:
    return start(shelf)


def _mapped(ssh: Client) -> None:
    ssh.good(CREATE)
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN},{SECOND} -name h")
    ssh.good("mcsop mkvdiskhostmap -host h v")


def test_a_mapping_shows_the_volume_to_every_port_of_the_host(ssh: Client, shelf: Shelf) -> None:
    _mapped(ssh)
    (uid,) = shelf.volumes
    assert shelf.luns == {(IQN, 0): uid, (SECOND, 0): uid}
    ssh.good(f"mcsop addhostport -force -iscsiname {IQN}-3 h")
    assert shelf.luns[f"{IQN}-3", 0] == uid
    ssh.good("mcsop rmvdiskhostmap -host h v")
    assert shelf.luns == {}
    assert shelf.volumes == {uid: 1 << 30}
    ssh.good("mcsop rmhost h;mcsop rmvdisk v")
    assert (shelf.initiators, shelf.volumes) == (set(), {})


def test_targets_are_those_that_the_array_names(ssh: Client, shelf: Shelf) -> None:
    names = {row["id"]: row["iscsi_name"] for row in ssh.rows("lsnode")}
    assert [(t.node, t.iqn, t.portal, t.optimized) for t in shelf.targets] == [
        (1, names["1"], "10.9.0.1:3260", True),
        (2, names["2"], "10.9.1.1:3260", False),
    ]


def test_a_volume_of_the_other_io_group_is_mapped_but_not_shown(ssh: Client, shelf: Shelf) -> None:
    ssh.good("mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool1 -iogrp 1")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h;mcsop mkvdiskhostmap -host h v")
    assert [row["IO_group_id"] for row in ssh.rows("lsvdiskhostmap v")] == ["1"]
    assert shelf.luns == {}


@pytest.mark.parametrize(
    ("verb", "calls", "line"),
    [
        ("admit", 1, f"mcsop mkhost -force -iscsiname {IQN}-8,{IQN}-9 -name new"),
        ("map", 0, "mcsop mkvdiskhostmap -host h w"),
        ("map", 1, "mcsop mkvdiskhostmap -host h w"),
        ("unmap", 1, "mcsop rmvdiskhostmap -host h v"),
        ("delete", 0, "mcsop rmvdisk -force v"),
        ("map", 0, f"mcsop addhostport -force -iscsiname {IQN}-3 h"),
        ("sessions", 0, "mcsinq lshost h"),
    ],
)
def test_a_failing_data_plane_fails_the_command_and_nothing_has_changed(
    array: Simulator, ssh: Client, shelf: Shelf, verb: str, calls: int, line: str
) -> None:
    _mapped(ssh)
    ssh.good(CREATE.replace("-name v", "-name w"))
    told = "lshost h;lshostvdiskmap;lsvdisk;lshost"
    before = ssh.good(told).stdout, shelf.luns.copy(), shelf.initiators.copy()
    shelf.failing[verb] = calls
    assert ssh.refusal(line) == "CMMVC5786E"
    assert (ssh.good(told).stdout, shelf.luns, shelf.initiators) == before
    assert array.control.do("counters")["events"] == {f"data plane: {verb} fails": 1}
    ssh.good(line)  # and once it works again, so does the command


def test_a_restart_makes_the_data_plane_equal_to_the_state(
    start: Callable[..., Simulator], connect: Callable[..., Client], shelf: Shelf
) -> None:
    first = start(shelf)
    _mapped(connect(first))
    first.stop()
    wanted = shelf.inventory()
    shelf.initiators.add("iqn.stray")
    shelf.volumes["STRAY"] = 512
    shelf.luns["iqn.stray", 3] = "STRAY"
    shelf.luns[IQN, 7] = "STRAY"
    del shelf.luns[SECOND, 0]
    start(shelf)
    assert set(shelf.inventory().luns) == set(wanted.luns)
    assert (shelf.volumes, sorted(shelf.initiators)) == (wanted.volumes, wanted.initiators)


def test_a_wrong_lun_is_behind_the_mapping_until_it_is_cured(
    array: Simulator, ssh: Client, shelf: Shelf
) -> None:
    _mapped(ssh)
    ssh.good(CREATE.replace("-name v", "-name w"))
    uids = [row["vdisk_UID"] for row in ssh.rows("lsvdisk")]
    array.control.do("map-wrong-lun", host="h", volume="v", instead="w")
    assert set(shelf.luns.values()) == {uids[1]}
    assert ssh.rows("lsvdiskhostmap v")[0]["vdisk_UID"] == uids[0]
    array.control.do("map-right-lun", host="h", volume="v")
    assert set(shelf.luns.values()) == {uids[0]}


def test_a_shrunk_volume_is_smaller_for_its_hosts(array: Simulator, ssh: Client, shelf: Shelf) -> None:
    _mapped(ssh)
    array.control.do("shrink", volume="v", size=1 << 20)
    assert list(shelf.volumes.values()) == [1 << 20]


@contextmanager
def _served(path: Path, shelf: Shelf) -> Iterator[socketserver.ThreadingUnixStreamServer]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                if line.strip():
                    self.wfile.write(answer(shelf, line))

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server  # type: ignore[misc]
        server.shutdown()


def test_everything_works_through_the_wire(
    start: Callable[..., Simulator], connect: Callable[..., Client], directory: Path, shelf: Shelf
) -> None:
    with _served(directory / "port", shelf):
        plane = RemoteDataPlane(directory / "port", timeout=5)
        ssh = connect(start(plane))
        _mapped(ssh)
        assert plane.inventory() == shelf.inventory()
        assert ssh.rows("lshost")[0]["status"] == "online"
        ssh.good(CREATE.replace("-name v", "-name thin -rsize 2% -autoexpand"))
        assert plane.usage() == shelf.usage()
        shelf.failing["map"] = 1
        assert ssh.refusal("mcsop mkvdiskhostmap -host h thin") == "CMMVC5786E"
        assert plane.inventory() == shelf.inventory()
        ssh.good("mcsop rmvdisk -force v;mcsop rmvdisk thin;mcsop rmhost h")
        assert (shelf.initiators, shelf.volumes) == (set(), {})
        plane.close()


def test_a_data_plane_that_does_not_answer_is_reported_in_time(directory: Path) -> None:
    class Deaf(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.read()

    with socketserver.UnixStreamServer(str(directory / "port"), Deaf) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        plane = RemoteDataPlane(directory / "port", timeout=0.2)
        with pytest.raises(DataPlaneError, match="does not answer"):
            plane.admit(IQN)
        server.shutdown()
    with pytest.raises(DataPlaneError, match="does not answer"):
        plane.admit(IQN)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b"{}",
        b'{"id": 1, "do": "close", "with": {}}',
        b'{"id": 1, "do": "map", "with": {"x": 1}}',
    ],
)
def test_nonsense_on_the_wire_gets_an_error_and_ends_nothing(shelf: Shelf, line: bytes) -> None:
    assert b'"error"' in answer(shelf, line)


def test_a_reply_to_an_earlier_question_is_passed_over(directory: Path) -> None:
    class Echoing(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                if line.strip():
                    stale: bytes = b'half a li\n{"id": "old", "ok": {"iqn": [9]}}\n'
                    self.wfile.write(stale + answer(Shelf(), line))

    with socketserver.UnixStreamServer(str(directory / "port"), Echoing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        plane: Any = RemoteDataPlane(directory / "port", timeout=5)
        assert plane.sessions() == {}
        plane.close()
        server.shutdown()


def test_a_machine_that_was_replaced_is_asked_anew(directory: Path, shelf: Shelf) -> None:
    class Forgetful(socketserver.StreamRequestHandler):
        def handle(self) -> None:  # one question a connection
            line = next(line for line in self.rfile if line.strip())
            self.wfile.write(answer(shelf, line))

    with socketserver.UnixStreamServer(str(directory / "port"), Forgetful) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        plane = RemoteDataPlane(directory / "port", timeout=5)
        for iqn in (IQN, SECOND):
            plane.admit(iqn)
        assert shelf.initiators == {IQN, SECOND}
        plane.close()
        server.shutdown()
