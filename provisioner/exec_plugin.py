"""The program of a kubeconfig that gives this one its token or certificate (`users[].user.exec`).

Run here, and not by the client's library, which waits for it without end, runs it in every thread that finds
its token old, and only writes a line when it fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_SECONDS = 30.0
END_SECONDS = 5.0  # in which a program that was killed is gone, unless the kernel holds it
AGAIN_SECONDS = 2.0  # after it failed it is not run again for so long
SHOWN = 200  # characters of what it wrote to standard error


class ExecPlugin:
    """Thread-safe: one run at a time, whose outcome is that of all who waited for it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._asked: tuple[str, str] | None = None
        self._ended = 0.0
        self._status: dict[str, Any] | None = None
        self._fault: Fault | None = None

    def status(self, config: Mapping[str, Any], directory: str, cluster: Mapping[str, Any]) -> dict[str, Any]:
        """Return the status of the ExecCredential that the plugin prints. `Fault`: it is none, or comes late.

        `config` is the part `exec` of the kubeconfig, `directory` where the kubeconfig is, `cluster` what it
        says of the cluster.
        """
        asked, began = (json.dumps(config, sort_keys=True, default=str), directory), time.monotonic()
        with self._guard:
            holds = self._ended + (AGAIN_SECONDS if self._fault else 0.0)
            if self._asked != asked or began >= holds:
                self._look(config, directory, cluster)
                self._asked, self._ended = asked, time.monotonic()
            if self._status is None:
                raise self._fault or _failed(config, "gave nothing")
            return self._status

    def _look(self, config: Mapping[str, Any], directory: str, cluster: Mapping[str, Any]) -> None:
        self._status = self._fault = None
        try:
            self._status = _status(config, _run(config, directory, cluster))
        except Fault as fault:
            self._fault = fault


def _run(config: Mapping[str, Any], directory: str, cluster: Mapping[str, Any]) -> bytes:
    """Return what the plugin prints. It has our environment, as every such program expects, and no input."""
    if config.get("interactiveMode") == "Always":
        raise _failed(config, "wants to ask somebody (interactiveMode Always), and nobody is here")
    argv = [str(word) for word in (config["command"], *(config.get("args") or ()))]
    given = {str(one["name"]): str(one["value"]) for one in config.get("env") or ()}
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=directory or None, start_new_session=True,
            env=os.environ | given | {"KUBERNETES_EXEC_INFO": json.dumps(_question(config, cluster))},
        )  # fmt: skip
    except OSError as error:
        hint = str(config.get("installHint") or "").strip()
        raise _failed(config, f"cannot be started ({error.strerror}){': ' if hint else ''}{hint}") from error
    try:
        out, err = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        raise _failed(config, f"did not answer within {RUN_SECONDS:.0f} s, and was ended") from None
    if process.returncode:
        said = " ".join(err.decode(errors="replace").split())[-SHOWN:]
        raise _failed(config, f"ended with status {process.returncode} ({said or 'it said nothing'})")
    return out


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it with all that it started; one that the kernel holds is left to it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=END_SECONDS)


def _question(config: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ExecCredential that it is given, with the kubeconfig's cluster if it wants that."""
    spec: dict[str, Any] = {"interactive": False}
    if config.get("provideClusterInfo"):
        known = {key: value for key, value in cluster.items() if key != "extensions"}
        for extension in cluster.get("extensions") or ():
            if extension["name"] == "client.authentication.k8s.io/exec":
                known["config"] = extension["extension"]
        spec["cluster"] = known
    return {"apiVersion": config["apiVersion"], "kind": "ExecCredential", "spec": spec}


def _status(config: Mapping[str, Any], out: bytes) -> dict[str, Any]:
    try:
        found = json.loads(out)
    except ValueError:
        found = None
    status = found.get("status") if isinstance(found, dict) else None
    if not isinstance(status, dict) or found["apiVersion"] != config["apiVersion"]:
        raise _failed(config, f"printed no ExecCredential of {config['apiVersion']}")
    if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
        raise _failed(config, "printed neither a token nor a certificate with its key")
    return status


def _failed(config: Mapping[str, Any], what: str) -> Fault:
    command = str(config.get("command"))
    return Fault(
        Code.CREDENTIAL_PLUGIN,
        f"The credential plugin {command} of the kubeconfig {what}. Run it by hand as the provisioner's "
        "user, or give the provisioner a token (deploy/README.md).",
        command=command,
    )
