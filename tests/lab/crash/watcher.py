"""Runs in the guest: is asked at each step, and kills the victim of an armed one before it answers.

Victims: `stub`; `agent`; `helper` (the supervisor with all that it started); `worker` (the helper's process
that came to the step, its programs live on); `hold` (nobody: the step is kept from going on for a minute, for
a test that resets the machine); a program's name such as `mkfs.ext4` (killed as soon as it runs after it).
Standard library only: nothing of the product is here.
"""

import os
import signal
import socket
import time

ARMED = "/run/instorage-crash"
HITS = "/run/instorage-crash.hits"
SOCKET = "/run/instorage-crash.sock"
CGROUP = "/sys/fs/cgroup/system.slice/instorage-{}.service/cgroup.procs"
UNITS = {"agent": "nodeagent", "helper": "helper"}
STUB = "instorage-flexvolume"
PATIENCE = 20  # seconds for a program to be started after its step
HOLD = 55  # seconds
AT_ONCE = ("stub", "agent", "helper", "worker")


def main() -> None:
    """Serve one process after the other: a step is one moment."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SOCKET)
        os.chmod(SOCKET, 0o666)
        listener.listen(64)
        while True:
            connection = listener.accept()[0]
            with connection:
                connection.settimeout(5)
                try:
                    step, pid = connection.recv(200).decode().split()
                except (OSError, ValueError):
                    continue
                victim = taken(step)
                killed = [one for one in victims(victim, int(pid)) if kill(one)] if victim in AT_ONCE else []
                if victim == "hold":
                    note(step, victim, killed)
                    time.sleep(HOLD)
            if victim in AT_ONCE:
                note(step, victim, killed)
            elif victim:
                note(step, victim, hunt(victim))


def note(step: str, victim: str, killed: list[int]) -> None:
    """Write down what happened."""
    with open(HITS, "a", encoding="ascii") as hits:
        hits.write(f"{step} {victim} {' '.join(map(str, killed))}\n")


def taken(step: str) -> str:
    """Return the victim of an armed step, once."""
    path = f"{ARMED}/{step}"
    if not os.path.exists(path):
        return ""
    with open(path, encoding="ascii") as file:
        victim = file.read().strip()
    os.unlink(path)
    return victim


def victims(victim: str, pid: int) -> list[int]:
    """Return the processes to kill."""
    if victim == "stub":
        return [one for one in processes() if stub(one)]
    helpers = members("helper")
    if victim == "worker":  # what is below the supervisor, on the way down to the process at the step
        line = [pid]
        while line[-1] in helpers:
            line.append(parent(line[-1]))
        return line[: max(len(line) - 2, 1)]
    return members(UNITS[victim])


def hunt(program: str) -> list[int]:
    """Kill a program of the helper as soon as it runs."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = [one for one in members("helper") if command(one) == program and kill(one)]
        if found:
            return found
    return []


def members(unit: str) -> list[int]:
    """Return the processes of a unit, the main one first."""
    try:
        with open(CGROUP.format(unit), encoding="ascii") as file:
            return sorted(map(int, file.read().split()))
    except OSError:
        return []


def processes() -> list[int]:
    """Return every process."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stub(pid: int) -> bool:
    """Whether a process is the stub."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == STUB
    except OSError:
        return False


def command(pid: int) -> str:
    """Return the name under which a process was started, cut to 15 letters, empty when it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            return comm.read().strip()
    except OSError:
        return ""


def parent(pid: int) -> int:
    """Return the parent, 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kill(pid: int) -> bool:
    """Kill as `kill -9` does; False when it was gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
