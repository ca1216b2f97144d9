"""The arrays asked by a child: as the agent's user, who has the pinned keys, while root looks at the host.

It is forked before any thread is there, and asks nothing that changes an array. One line of JSON is a
question, one its answer; it ends with the pipe.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from instorage.arrays.pool import array_client
from instorage.operation import within
from instorage.privilege import leave_root
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from nodeagent.administration.array import USER
from nodeagent.administration.doctor import processor
from nodeagent.administration.doctor.array_view import view, volume_view
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration

WAITED = "waited"
"""Field of the fault that says that no array answered: for how long this node gave its child no processor."""
LAST_SECONDS = 2.0
"""Of the time for all arrays what is left when each must have answered: one that hangs hides no other."""
EACH = 0.85
"""The share of that time after which what an array keeps its caller waiting for is said by itself."""
_CHUNK = 1 << 16


class ArraysChild:
    """The child as its parent sees it; one question at a time."""

    def __init__(self, configuration: Configuration, ports: tuple[str, ...]) -> None:
        asked, self._questions = os.pipe()
        self._answers, answered = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._questions)
                os.close(self._answers)
                _serve(configuration, ports, asked, answered)
            finally:
                os._exit(0)
        os.close(asked)
        os.close(answered)
        self._rest = b""

    def view(self, seconds: float) -> dict[str, Any]:
        """Return what each array says, by its name: see `array_view`; `Fault(TIMEOUT)`.

        An array that keeps its caller waiting says for itself, before it is given up, what for.
        """
        return self._ask({"ask": "view", "seconds": seconds - LAST_SECONDS}, seconds)

    def volumes(self, wanted: dict[str, list[str]], seconds: float) -> dict[str, Any]:
        """Return what an array (key) says of volumes by UID; `Fault(TIMEOUT)`."""
        question = {"ask": "volumes", "of": wanted, "seconds": seconds - LAST_SECONDS}
        return self._ask(question, seconds)

    def close(self) -> None:
        """End the child, whatever it does."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._questions)
        os.close(self._answers)

    def _ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        until, waited = time.monotonic() + seconds, processor.waited(self._pid)
        os.write(self._questions, json.dumps(question).encode() + b"\n")
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(until - time.monotonic(), 0))
            if not ready:
                waited = processor.waited(self._pid) - waited
                text = f"The arrays did not answer within {seconds:.0f} s."
                raise Fault(Code.TIMEOUT, text, seconds=str(seconds), **{WAITED: f"{waited:.3f}"})
            chunk = os.read(self._answers, _CHUNK)
            if not chunk:
                raise Fault(Code.INTERNAL, "Asking the arrays broke off by a defect of instoragectl.")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        found = json.loads(line)
        if "fault" in found:
            raise Fault.from_wire(found["fault"])
        return dict(found["is"])


def _serve(configuration: Configuration, ports: tuple[str, ...], asked: int, answered: int) -> None:
    leave_root(USER)
    known_hosts = Paths.from_environment().state / "known_hosts"
    clients = {entry.name: array_client(entry, known_hosts) for entry in configuration.storage}
    with open(asked, encoding="utf-8") as questions, open(answered, "w", encoding="utf-8") as answers:
        for line in questions:
            try:
                found = {"is": _answer(json.loads(line), clients, configuration, ports)}
            except Fault as fault:
                found = {"fault": fault.to_wire()}
            answers.write(json.dumps(found) + "\n")
            answers.flush()


def _answer(
    question: dict[str, Any], clients: dict[str, Array], configuration: Configuration, ports: tuple[str, ...]
) -> dict[str, Any]:
    if question["ask"] == "view":
        calls: dict[str, Callable[[], dict[str, Any]]] = {
            name: lambda array=array: _view(  # type: ignore[misc]
                array, configuration, frozenset(ports), len(clients)
            )
            for name, array in clients.items()
        }
    else:
        calls = {
            name: lambda array=clients[name], uids=uids: _volumes(array, uids)  # type: ignore[misc]
            for name, uids in question["of"].items()
            if name in clients
        }
    return _together(calls, float(question["seconds"]))


def _together(calls: dict[str, Callable[[], dict[str, Any]]], seconds: float) -> dict[str, Any]:
    """Return what each array says; of one that has not answered in time that it has not, whatever it does.

    Its thread is left behind, in a process that is ended soon.
    """
    began, waited = time.monotonic(), processor.waited()
    found: dict[str, Any] = {}

    def ask(name: str) -> None:
        with within(EACH * seconds):
            found[name] = calls[name]()

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(began + seconds - time.monotonic(), 0))
    told = dict(found)
    return {name: told.get(name) or _late(name, seconds, processor.waited() - waited) for name in calls}


def _late(name: str, seconds: float, waited: float) -> dict[str, Any]:
    text = f"Array {name} did not answer within {seconds:.0f} s."
    fault = Fault(Code.TIMEOUT, text, array=name, seconds=str(seconds), **{WAITED: f"{waited:.3f}"})
    return {"hosts": [], "mappings": [], "found": {}, "seconds": seconds, "fault": fault.to_wire()}


def _view(array: Array, configuration: Configuration, ports: frozenset[str], shared: int) -> dict[str, Any]:
    """Return the array's view, and for how long of its time this process waited for a processor.

    `shared`: how many arrays are asked at the same time; each is given its part of what was waited.
    """
    waited = processor.waited()
    found = view(array, configuration, ports)
    return found | {"waited": round((processor.waited() - waited) / shared, 3)}


def _volumes(array: Array, wanted: list[str]) -> dict[str, Any]:
    """Look for volumes by UID, or by name where it is none."""
    found: dict[str, Any] = {}
    try:
        for one in wanted:
            by_uid = VolumeUid.pattern.fullmatch(one)
            volume = (
                array.find_volume_by_uid(VolumeUid(one))
                if by_uid
                else array.find_volume(VolumeName.parse(one))
            )
            found[one] = volume_view(array, volume) if volume else None
    except Fault as fault:
        return {"fault": fault.to_wire(), "found": found}
    return {"found": found}
