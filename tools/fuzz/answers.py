"""The stub, a C program that root runs, against an agent that says anything."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING

from tools.fuzz import mutation
from tools.fuzz.result import FoundError, Result, Watch
from tools.install import STUB
from tools.lab.product import build_stub

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

PATIENCE = 20.0  # seconds; the stub gives up earlier
GOOD = (
    b'0{"status":"Success"}\n',
    b'Pattaching, since 10:00:00\nP\xc2\xab\xc3\xa9\xc2\xbb\n0{"status":"Success","device":"/dev/x"}\n',
    b'1{"status":"Failure","message":"a \\"b\\" {[ \xe4\xb8\xad"}\n',
    b'0{"status":"Success","capabilities":{"attach":true,"list":[1,{"a":[]}]}}\n',
)
LONG = (b"P" + b"x" * 5000 + b"\n", b'0{"a":"' + b"x" * 70000 + b'"}', b"P\n" * 3000, b"0" + b"[" * 9000)


class Agent:
    """Answers every call with `said`."""

    def __init__(self, path: Path) -> None:
        self.said = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer = self._listener.accept()[0]
            except OSError:
                return
            with peer:
                try:
                    while peer.recv(4096):
                        pass
                    peer.sendall(self.said)
                except OSError:
                    continue

    def close(self) -> None:
        """Stop."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)


def answers(random: Random, wanted: int, directory: Path) -> Result:
    """Run the stub; what it prints is one JSON object for kubelet, whatever the agent said."""
    build_stub()
    result, agent = Result("stub"), Agent(directory / "agent.sock")
    watch = Watch(result, os.getpid(), wanted)
    try:
        while result.messages < wanted:
            data = random.choice(GOOD)
            for _ in range(random.choice((0, 1, 1, 2))):
                data = mutation.mutated(data, random, GOOD)
            agent.said = data + random.choice(LONG) if random.random() < 0.05 else data
            _run(directory / "agent.sock", agent.said, result)
            watch.tick()
    finally:
        agent.close()
    return watch.end()


def _run(path: Path, said: bytes, result: Result) -> None:
    environment = {"INSTORAGE_AGENT_SOCKET": str(path), "INSTORAGE_STUB_DEADLINE_MS": "5000"}
    done = subprocess.run(
        [STUB, "unmount", "/x"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode not in (0, 1) or done.stderr or b"\n" in done.stdout.rstrip(b"\n"):
        raise FoundError(
            f"the stub ended with {done.returncode}, {done.stderr!r}, {done.stdout[:200]!r}", said
        )
    try:
        answer = json.loads(done.stdout.decode())
    except ValueError:
        # it looks at brackets, quotes and characters, not at each comma: what else is wrong kubelet refuses
        text = done.stdout.decode()
        good = text.startswith("{") and text.endswith("}\n") and text[:-1].isprintable()
        if not good and not any(ord(char) > 127 for char in text):
            raise FoundError(f"not printable: {text[:200]!r}", said) from None
        result.codes["no JSON"] += 1
        return
    result.begun += answer.get("status") == "Success"
    result.codes["Failure"] += answer.get("status") == "Failure"
