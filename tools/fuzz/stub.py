"""The agent's side of the stub's socket: the real server and dispatcher, with a tripwire for operations."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from nodeagent.operation import journal
from nodeagent.operation.answer import Answer, Status
from nodeagent.service.dispatch import Dispatcher
from nodeagent.service.server import Server
from tools.fuzz import mutation, oracle
from tools.fuzz.result import FoundError, Result, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

ROOT = "/var/lib/kubelet"
PATIENCE = 30.0
STATUS = {"Success": b"0", "Not supported": b"0", "Failure": b"1"}


class Flights:
    """Takes the place of the operations: notes what would begin."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def run(self, request: Any, *_: object) -> Answer:  # noqa: ANN401
        """Begin nothing."""
        self.begun.append(request.call)
        return Answer(Status.SUCCESS)


class Lines(logging.Handler):
    """Looks at every record of the agent's log for one that could pass for two."""

    def __init__(self) -> None:
        super().__init__()
        self.forged: list[str] = []
        self.addFilter(journal.Fields())
        self.setFormatter(journal.Line())

    def emit(self, record: logging.LogRecord) -> None:
        """Check one record."""
        if not self.format(record).isprintable():
            self.forged.append(self.format(record))


@contextlib.contextmanager
def _serving(path: Path, flights: Flights) -> Iterator[Lines]:
    """Run a server on `path`; `Lines` sees what it logs."""
    dispatcher, lines = Dispatcher(SimpleNamespace()), Lines()  # type: ignore[arg-type]
    dispatcher.flights = flights  # type: ignore[assignment]
    log = logging.getLogger("nodeagent")
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(256)
        server = Server([listener], dispatcher.answer, os.getuid())
        thread = threading.Thread(target=server.serve, args=(lambda: None, None), daemon=True)
        log.addHandler(lines)
        log.propagate, propagated = False, log.propagate
        thread.start()
        try:
            yield lines
        finally:
            server.stop()
            thread.join(PATIENCE)
            server.drain(PATIENCE)
            server.close()
            log.removeHandler(lines)
            log.propagate = propagated


def call(random: Random) -> bytes:
    """Return the next input."""
    data = b"".join(word.encode("utf-8", "surrogatepass") + b"\0" for word in mutation.argv(ROOT, random))
    return mutation.mutated(data, random) if random.random() < 0.4 else data


def stub(random: Random, wanted: int, directory: Path) -> Result:
    """Make calls as the stub does; the server begins exactly what the oracle takes for valid."""
    result, flights, path = Result("stub's socket"), Flights(), directory / "agent.sock"
    with _serving(path, flights) as lines:
        watch = Watch(result, os.getpid(), wanted)
        while result.messages < wanted:
            data = call(random)
            flights.begun.clear()
            _ask(path, data, result)
            expected = oracle.runs(data)
            if flights.begun != ([expected] if expected else []):
                raise FoundError(f"{flights.begun} began, the oracle says {expected}", data)
            if lines.forged:
                raise FoundError(f"a log line can be forged: {lines.forged[0]!r}", data)
            result.begun += len(flights.begun)
            if random.random() < 0.02:  # one that leaves half-way
                with socket.socket(socket.AF_UNIX) as gone:
                    gone.connect(str(path))
                    gone.send(data[: random.randint(0, 1000)] + b"x")
            watch.tick()
    return watch.end()


def _ask(path: Path, data: bytes, result: Result) -> None:
    said = b""
    with socket.socket(socket.AF_UNIX) as peer, contextlib.suppress(ConnectionError):
        peer.settimeout(PATIENCE)
        peer.connect(str(path))
        with contextlib.suppress(BrokenPipeError):  # too long: answered before all of it came
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        while more := peer.recv(1 << 16):
            said += more
    if not said and len(data) > 128 * 1024:
        return  # closed with input unread: the stub itself never sends so much
    try:
        answer = json.loads(said[1:])
        good = STATUS[answer["status"]] == said[:1] and said[1:].decode().strip("\n").isprintable()
    except (ValueError, KeyError, TypeError):
        good = False
    if not good or len(said) > 65536:
        raise FoundError(f"no answer that the stub can pass on: {said[:300]!r}", data)
    if answer["status"] != "Success":
        result.codes[answer["status"]] += 1
