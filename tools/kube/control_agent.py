"""An agent beside kube-controller-manager, on a control plane's host without iSCSI and without a helper.

It does one thing there: `detach` of a volume from a node that is gone. systemd's own socket activation starts
it at the first call; the socket lies in the plugin directory, the only one that the manager can see.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, Self

from tools.install import ROOT
from tools.kube.provisioner import array_entry
from tools.lab.fault import LabFault

if TYPE_CHECKING:
    from pathlib import Path

    from tools.kube.cluster import Cluster

SOCKET: Final = ".agent.sock"
ACTIVATE: Final = "/usr/bin/systemd-socket-activate"
START: Final = 20.0  # seconds
STOP: Final = 40.0


class ControlAgent:
    """A context manager; `array` is the unix socket of the array's command line, `directory` the agent's."""

    def __init__(self, cluster: Cluster, array: Path, directory: Path) -> None:
        self._plugin = cluster.plugin
        self._port = cluster.relay.port_to_socket(array)
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(exist_ok=True)
        configuration = self._plugin / "config/instorage.yaml"
        configuration.parent.mkdir(exist_ok=True)
        configuration.touch(mode=0o600)
        host = {"link": "iscsi", "nodeName": "control"}
        configuration.write_text(json.dumps({"host": host, "storage": [array_entry(self._port)]}))
        socket = self._plugin / SOCKET
        settings = {
            "INSTORAGE_PLUGIN": self._plugin,
            "STATE_DIRECTORY": self._directory / "state",
            "INSTORAGE_HELPER_SOCKET": self._directory / "no-helper.sock",
        }
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("/usr/bin/setpriv", "--pdeathsig", "TERM", ACTIVATE, "-l", str(socket)),
                    *(word for pair in settings.items() for word in ("-E", f"{pair[0]}={pair[1]}")),
                    *(sys.executable, "-m", "nodeagent"),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            )  # fmt: skip
        deadline = time.monotonic() + START
        while not socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabFault("kube-agent", f"no socket for the agent:\n{self.log}")
            time.sleep(0.02)
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP)
        finally:
            self._process.kill()
            (self._plugin / SOCKET).unlink(missing_ok=True)

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self._directory / "log").read_text(errors="replace")
