"""A provisioner as a process, its log, and the patience with which tests wait."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd/instorage-provisioner.service"
_ENVIRONMENT = "Environment="


def until(condition: Callable[[], Any], seconds: float = 20.0, what: str = "") -> Any:
    """Poll until the condition gives something; fail with `what` when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)
    return found


def takes_pods(api: Cluster, namespace: str) -> None:
    """Wait until a namespace has what pods need by default: its account, and the token of that."""
    default = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    until(
        lambda: (api.get(default) or {}).get("secrets"), 40, f"the token of the pods' account in {namespace}"
    )


def units_environment() -> dict[str, str]:
    """Return what the unit sets beside: how memory is taken, else what is measured is no service's."""
    lines = UNIT.read_text().splitlines()
    said = (line.removeprefix(_ENVIRONMENT) for line in lines if line.startswith(_ENVIRONMENT))
    return dict(one.split("=", 1) for one in said)


class Program:
    """One provisioner process and its log."""

    def __init__(self, argv: list[str], state: Path, log: Path, notify: Path | None = None) -> None:
        self._log = log
        self.state = state
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "STATE_DIRECTORY": str(state), "LANG": "C.UTF-8"}
                | ({"NOTIFY_SOCKET": str(notify)} if notify else {})
                | units_environment(),
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def says(self, text: str, seconds: float = 20.0) -> None:
        until(lambda: text in self.log or not self.running, seconds, text)
        assert text in self.log

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def stop(self, seconds: float = 90.0) -> int:
        """End it as systemd does; return the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)
