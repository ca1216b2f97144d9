"""Orders to a running simulator: JSON lines over a unix socket, and a client for them.

Request: `{"do": VERB, FIELD: VALUE...}`.
Reply: `{"ok": true, "result": ...}` or `{"ok": false, "error": TEXT}`.

    fault             fields of simulator.instruments.faults.Fault -> number of the fault
    clear             [number] one fault, or all (commands held by a delay go on)
    counters          commands by name, total, events;
                      connections, channels, running: opened, now, peak, refused
    reset-counters    begin anew
    log               commands one by one: line, name, start (epoch s), seconds, status (-1: broken off)
    volumes           id, name, uid, size (bytes), function, maps [{host, lun}]
    hosts             id, name, ports [{kind, name}], site, type
    password          password: for new connections
    drop-connections  close all SSH connections -> how many
    dialect           switches of simulator.language.dialect.Dialect
    portal            node, up: close a node's iSCSI target (sessions end) or open it
    drop-sessions     host: end its iSCSI sessions
    map-wrong-lun     host, volume, instead: other data behind a mapping, in the data plane only
    map-right-lun     host, volume: the cure
    shrink, resize    volume, size (bytes): behind the commands' back, in state and data plane
    write             volume, data: as a host does, to both sites where a relationship is synchronised
    compare           volume, other: are their contents equal, byte by byte -> equal, and both contents
    replication       volume, state, [primary]: put an active-active relationship into another state
    copied            volume: let its background copy end now
    vdisk-status      volume, status: online, degraded or offline
    snapshot          volume, target: a LocalCopy map between two vdisks
    logins            port (IQN or WWPN), nodes: say who is logged in where (FC, or no data plane)
    used              volume, bytes: say what a thin volume has written
    sessions          node ids by IQN, from the data plane
    inventory         what the data plane exports
    reconcile         make the data plane equal to the state (after the array's VM was reset)

    with Control(path) as control:
        control.do("fault", command="mkvdisk", after="connection")
"""

import json
import socket
import threading
from pathlib import Path
from typing import Any, Self

TIMEOUT = 60.0


class ControlError(Exception):
    """The simulator refused an order; the text says why."""


class Control:
    """A client of the control socket; thread safe. Raises ControlError, OSError."""

    def __init__(self, path: str | Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")
        self._lock = threading.Lock()

    def do(self, verb: str, **fields: Any) -> Any:  # noqa: ANN401
        """Give an order and return its result."""
        with self._lock:
            self._file.write(json.dumps({"do": verb, **fields}).encode() + b"\n")
            self._file.flush()
            line = self._file.readline()
        if not line:
            raise ControlError("the simulator closed the control connection")
        reply = json.loads(line)
        if not reply["ok"]:
            raise ControlError(reply["error"])
        return reply["result"]

    def close(self) -> None:
        """Close the connection; faults stay in force."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
