"""The provisioner as an administrator brings it to a cluster: account, rights, configuration, program.

It runs on this machine, as its unit runs it on a control plane's host, and reaches the array's command line
through a port of loopback.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, Self

from instorage.tenancy.signature import SigningKey
from tools.install import ROOT
from tools.kube.api import Api
from tools.lab.fault import LabFault
from tools.lab.product import PASSWORD, USER

if TYPE_CHECKING:
    from pathlib import Path

    from tools.kube.cluster import Cluster

ACCOUNT: Final = "instorage-provisioner"
SECRETS: Final = "/api/v1/namespaces/kube-system/secrets"
READY: Final = 60.0  # seconds
STOP: Final = 90.0


class Provisioner:
    """A running provisioner; a context manager that ends it."""

    def __init__(self, cluster: Cluster, array: Path, directory: Path) -> None:
        """Prepare; `array` is the unix socket of the array's command line, `directory` its home."""
        self._cluster = cluster
        self._array = array
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir()
        self._cluster.apply((ROOT / "deploy/provisioner-rbac.yaml").read_text())
        self._configure()
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What it wrote."""
        path = self._directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def key_line(self) -> str:
        """The line for `host.volumeKey` of every node."""
        return SigningKey.load(self._directory / "state/volume.key").public_line

    @property
    def key(self) -> bytes:
        """Its signing key, for another host's provisioner."""
        return (self._directory / "state/volume.key").read_bytes()

    def start(self) -> None:
        """Start the program and wait until it has its signing key and the lease."""
        argv = [
            *("/usr/bin/setpriv", "--pdeathsig", "TERM"),  # it ends when this process does
            sys.executable, "-m", "provisioner", "-kubeconfig", str(self._kubeconfig),
            "-strconfig", str(self._directory / "instorage.yaml"), "-v=1",
        ]  # fmt: skip
        state = str(self._directory / "state")
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "STATE_DIRECTORY": state, "LANG": "C.UTF-8"},
            )  # fmt: skip
        deadline = time.monotonic() + READY
        while not (self._directory / "state/volume.key").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabFault("kube-provisioner", f"the provisioner did not start:\n{self.log[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as systemd does; raises subprocess.TimeoutExpired when it does not go."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP)
        finally:
            self._process.kill()
            self._process = None

    def _configure(self) -> None:
        storage = array_entry(self._cluster.relay.port_to_socket(self._array))
        path = self._directory / "instorage.yaml"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"storage": [storage]}))
        plane = self._cluster.plane
        with Api(plane.port, plane.pki) as api:
            self.token = _token(api)
            self._kubeconfig = plane.kubeconfig(ACCOUNT, self.token)


def array_entry(port: int) -> dict[str, str]:
    """Return the configuration's entry of the lab's array, whose command line is at a port of loopback."""
    return {
        "name": "storage-01",
        "type": "AS18000",
        "host": f"127.0.0.1:{port}",
        "username": USER,
        "password": PASSWORD,
    }


def _token(api: Api) -> str:
    """Return the token that the controller manager makes for the account."""
    note = "kubernetes.io/service-account.name"
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline:
        for secret in api.items(SECRETS):
            if (secret["metadata"].get("annotations") or {}).get(note) == ACCOUNT and "token" in secret[
                "data"
            ]:
                return base64.b64decode(secret["data"]["token"]).decode()
        time.sleep(0.1)
    raise LabFault("kube-token", f"the account {ACCOUNT} got no token within {READY:.0f} s.")
