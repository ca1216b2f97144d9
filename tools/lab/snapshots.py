"""Memory snapshots: each role booted once, links and services up, no session, saved with its memory."""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.image import ENVIRONMENT, image
from tools.lab.machine import Machine
from tools.lab.progress import Programs, Report, step
from tools.lab.qemu import QEMU, Boot
from tools.lab.topology import ROLES, Role

TAG: Final = "booted"
# Their pages are then in memory: the first import of a test does not wait for the disk.
WARM_UP: Final = f"{ENVIRONMENT}/bin/python3 -c 'import asyncio, logging, paramiko, pyroute2, yaml'"

WARM_UP_LIMIT: Final = 300


def snapshots(report: Report) -> tuple[Path, Boot]:
    """Return a folder with `ROLE.qcow2` for every role, and what to boot them with."""
    return saved("snapshots", image(report), ROLES, report)


def saved(
    kind: str, disk: Path, roles: Mapping[str, Role], report: Report, warm_up: str = ""
) -> tuple[Path, Boot]:
    """Return a folder with `ROLE.qcow2` for each role, made from an image's folder `disk`.

    `warm_up` is a further command for nodes, run before their memory is saved.
    """
    version = Programs(Path(os.devnull)).output([QEMU, "--version"]).splitlines()[0]
    here = Path(__file__)
    sources = (here, here.with_name("qemu.py"), here.with_name("topology.py"))
    hashed = cache.key(disk.name, version, warm_up, repr(sorted(roles.items())), *sources)
    boot = Boot(disk / "vmlinux", disk / "initrd.gz")

    def make(folder: Path) -> None:
        with step(report, f"booting and saving {', '.join(roles)}"), ThreadPoolExecutor(len(roles)) as pool:
            list(pool.map(lambda role: _save(role, folder, disk, boot, report, warm_up), roles.values()))
        shutil.rmtree(folder / "m")

    return cache.layer(kind, hashed, make, report), Boot(boot.kernel, boot.initrd, TAG)


def _save(role: Role, folder: Path, disk: Path, boot: Boot, report: Report, warm_up: str) -> None:
    overlay = folder / f"{role.name}.new.qcow2"
    backing = ("-b", disk / "disk.ext4", "-F", "raw")
    Programs(folder / "log").run("qemu-img", "create", "-q", "-f", "qcow2", *backing, overlay)
    machine = Machine(role, folder / "m" / role.name, overlay, boot, folder)
    with step(report, f"{role.name} boots"):
        machine.load()
    try:
        machine.settle()
        if role.has_management:
            machine.run(WARM_UP)
            machine.run(warm_up, WARM_UP_LIMIT)
        machine.run("sync")
        machine.pause()
        said = machine.monitor(f"savevm {TAG}")
        if said.strip():
            raise LabFault("lab-snapshot-failed", f"savevm of {role.name}: {said}")
    finally:
        machine.kill()
    shutil.move(machine.directory / "disk.qcow2", folder / f"{role.name}.qcow2")
    shutil.rmtree(machine.directory)
    overlay.unlink()
