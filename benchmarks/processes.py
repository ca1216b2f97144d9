"""What our own processes cost on a node: CPU seconds and memory, by systemd's accounts of their units."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.lab.machine import Machine

UNITS = {"agent": "instorage-nodeagent.service", "helper": "instorage-helper.service"}
_MIB = 1 << 20


def processor_seconds(machine: Machine) -> dict[str, float]:
    """Return the CPU seconds since each unit's start, its children included, by short name."""
    return {name: _number(machine, unit, "CPUUsageNSec") / 1e9 for name, unit in UNITS.items()}


def busy_seconds(machine: Machine) -> float:
    """Return the CPU seconds that all of a machine has used since its boot: kernel, udev, everybody."""
    first, hertz = machine.run("head -1 /proc/stat; getconf CLK_TCK").stdout.splitlines()
    user, nice, system, _idle, _waiting, interrupts, soft = (int(word) for word in first.split()[1:8])
    return (user + nice + system + interrupts + soft) / int(hertz)


def memory(machine: Machine) -> dict[str, float]:
    """Return the resident MiB of each unit's main process now; 0 when it does not run."""
    found = {}
    for name, unit in UNITS.items():
        pid = int(_number(machine, unit, "MainPID"))
        status = machine.run(f"grep VmRSS /proc/{pid}/status", check=False).stdout if pid else ""
        found[name] = int(status.split()[1]) * 1024 / _MIB if status else 0.0
    return found


def _number(machine: Machine, unit: str, what: str) -> float:
    text = machine.run(["systemctl", "show", "-p", what, "--value", unit]).stdout.strip()
    return float(text) if text.isdigit() and int(text) < 1 << 63 else 0.0
