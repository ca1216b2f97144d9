"""The data plane behind its wire: late, broken and nonsensical answers, and a machine that was replaced."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from simulator.dataplane.plane import DataPlaneError
from simulator.dataplane.remote import RemoteDataPlane
from simulator.dataplane.server import answer
from tests.simulator.conftest import IQN, Client
from tests.simulator.shelf import CREATE, SECOND, Shelf, mapped, shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from simulator.array import Simulator

__all__ = ["shelf"]


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
        mapped(ssh)
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
