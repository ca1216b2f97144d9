"""The guest side of the data plane: `python3 -m simulator.dataplane.server PORT [BACKING]`.

Reads the questions of simulator.dataplane.remote from a virtio port (or any other character device) and has
LIO answer them, one after the other. Nothing that a question does ends it. Standard library only; it needs
this room and the package's own __init__.
"""

import json
import os
import sys
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from simulator.dataplane.lio import LioDataPlane
from simulator.dataplane.plane import VERBS, DataPlane, FcTarget, Target

BACKING = "/var/lib/lio"
IDLE_POLL = 0.05
LONGEST_LINE = 1 << 20


def answer(plane: DataPlane, line: bytes) -> bytes:
    """Answer one question; an error is an answer too."""
    number = None
    try:
        question = json.loads(line)
        number, verb = question["id"], question["do"]
        if verb not in VERBS:
            raise ValueError(f"no verb {verb}")
        arguments: dict[str, Any] = dict(question["with"])
        if verb == "open":
            arguments["targets"] = [Target(**target) for target in arguments["targets"]]
            arguments["ports"] = [FcTarget(**port) for port in arguments["ports"]]
        result = getattr(plane, verb)(**arguments)
        if is_dataclass(result) and not isinstance(result, type):
            result = asdict(result)
        reply = {"id": number, "ok": result}
    except Exception as error:  # whatever it was, the next question can still be answered
        reply = {"id": number, "error": f"{type(error).__name__}: {error}"}
    return json.dumps(reply).encode() + b"\n"


def serve(plane: DataPlane, port: int) -> None:
    """Answer what comes in on an open port, for ever."""
    pending = b""
    while True:
        try:
            data = os.read(port, 65536)
        except OSError:
            data = b""
        if not data:
            time.sleep(IDLE_POLL)  # the port reads as empty while nobody is connected on the host
            continue
        *lines, pending = (pending + data).split(b"\n")
        for line in filter(bytes.strip, lines):
            _write_all(port, answer(plane, line))
        pending = pending[-LONGEST_LINE:]


def _write_all(port: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(port, data) :]
        except OSError:
            return  # the host went away; it will ask anew


def main() -> None:
    """Open the port when it is there, and serve."""
    path, backing = Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else BACKING)
    while not path.exists():
        time.sleep(IDLE_POLL)
    serve(LioDataPlane(backing), os.open(path, os.O_RDWR | os.O_CLOEXEC))


if __name__ == "__main__":
    main()
