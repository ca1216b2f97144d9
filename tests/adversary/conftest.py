"""The supervisor of `tests/helper`, and peers that are other users."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.helper.conftest import HELPER, Client, connect, run_directory, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Client", "connect", "run_directory", "start"]

NOBODY = 65534
AGENT = 61234  # a uid that plays the agent's where root plays root


@pytest.fixture
def open_directory(run_directory: Path) -> Path:
    """Let every user reach the sockets of the directory: what file modes stop is not tested here."""
    for folder in (run_directory, *run_directory.parents):
        if folder.stat().st_uid == os.getuid() and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o055)
    return run_directory


@pytest.fixture
def as_user() -> Callable[[int, Callable[[], Any]], Any]:
    """Return a function that does a job as another user, in a process of its own; its result is JSON."""

    def do(uid: int, job: Callable[[], Any]) -> Any:
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                os.write(writing, json.dumps(job()).encode())
            except BaseException as error:
                os.write(writing, json.dumps(f"failed: {error!r}").encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        return json.loads(said)

    return do


def reach(path: Path) -> socket.socket:
    """Connect to a socket; open its mode first if it is ours."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def message(verb: str, **parameters: Any) -> bytes:
    """Return a call as bytes."""
    return json.dumps({"method": f"{HELPER}.{verb}", "parameters": parameters}).encode() + b"\0"
