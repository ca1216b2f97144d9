"""The build that can be stopped at a step, and the watcher in the guest that kills the victim there.

At each step the process that came to it asks the watcher and goes on when it is answered, if it still lives.
A step is armed by the file `/run/instorage-crash/STEP`, which holds the victim's name; what was killed stands
in `/run/instorage-crash.hits`. Nothing of this is in the product's tree.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak import WHOLE
from tools.install import ROOT, as_tar

if TYPE_CHECKING:
    from tools.lab.machine import Machine

STEPS = "instorage/wire/steps.py"
RECONCILIATION = "nodeagent/recovery/reconciliation.py"
ARMED = "/run/instorage-crash"
HITS = "/run/instorage-crash.hits"
SOCKET = "/run/instorage-crash.sock"
DENIED = tuple(
    f"allow instorage_{one}_t {what};"
    for one in ("agent", "helper")
    for what in ("initrc_runtime_t:sock_file write", "initrc_t:unix_stream_socket connectto")
)
"""What asking the watcher needs, and no policy gives."""
WATCHER = "/usr/local/lib/crash_watcher.py"
HOOK = f'''
def reached(step: StrEnum) -> None:
    """Ask the watcher of the crash tests, and go on when it answers."""
    import os, socket
    try:
        with socket.socket(socket.AF_UNIX) as watcher:
            watcher.settimeout(60)
            watcher.connect("{SOCKET}")
            watcher.sendall(f"{{step}} {{os.getpid()}}\\n".encode())
            watcher.recv(1)
    except OSError:
        pass
'''


def tree() -> bytes:
    """Return the node part as a tar whose steps can be stopped at.

    Reconciliation rests for less than 30 s here, since many tests wait for it; not in `make soak`.
    """
    head, _, _ = (ROOT / STEPS).read_text().partition("\ndef reached(")
    replaced = {STEPS: (head + HOOK).encode()}
    if not WHOLE:
        source = (ROOT / RECONCILIATION).read_text()
        shorter = source.replace("REST_SECONDS = 30.0", "REST_SECONDS = 12.0")
        assert shorter != source, "reconciliation has another rest: change it here too"
        replaced[RECONCILIATION] = shorter.encode()
    return as_tar(replaced)


def watch(machine: Machine) -> None:
    """Start the watcher and wait until it listens."""
    machine.put(WATCHER, Path(__file__).with_name("watcher.py").read_bytes())
    machine.run(
        f"mkdir -p {ARMED}; systemctl stop crash-watcher 2>/dev/null; rm -f {SOCKET} {HITS}; "
        f"systemd-run -q --collect --unit=crash-watcher {machine.python} -SEs {WATCHER}; "
        f"for i in $(seq 200); do test -S {SOCKET} && exit 0; sleep 0.1; done; exit 1"
    )


def arm(machine: Machine, step: str, victim: str) -> None:
    """Have `victim` killed when somebody comes to `step` next."""
    machine.run(f"rm -f {HITS}; echo {shlex.quote(victim)} > {ARMED}/{shlex.quote(step)}")


def hit(machine: Machine, seconds: float = 0) -> str:
    """Return «step victim pids» of what was killed since `arm`, empty when nothing was within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = machine.run(f"cat {HITS} 2>/dev/null", check=False).stdout.strip()
        if found or time.monotonic() >= deadline:
            return found
        time.sleep(0.2)


def disarm(machine: Machine) -> None:
    """Forget what was not reached."""
    machine.run(f"rm -f {ARMED}/* {HITS}")
