"""One QEMU process: its command line, its start and its end."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault
from tools.lab.topology import FIRST_SLOT, Role

QEMU: Final = "/usr/bin/qemu-system-x86_64"
# Its complaint, when nobody listens, would travel to the guest as if the array had said it.
SOCAT: Final = "/usr/bin/socat -lf /dev/null -"
LEASH: Final = Path(__file__).with_name("leash.py")
# What every boot has. SELinux permissive: a test may `setenforce 1`, which takes effect as a boot would.
KERNEL_OPTIONS: Final = (
    "console=ttyS0 root=/dev/vda rw mitigations=off nokaslr tsc=reliable no_timer_check panic=-1 quiet "
    "security=selinux selinux=1 enforcing=0 systemd.mask=serial-getty@ttyS0.service "
    "init_on_alloc=0 transparent_hugepage=never hardened_usercopy=off randomize_kstack_offset=off"
)
# Without what emulation pays for most and nothing here needs: each byte of a «rep movsb» is a step by itself,
# and SMAP at each look at a user's memory, a change of protection keys, throw away what was looked up before.
CPU: Final = "max,la57=off,erms=off,fsrm=off,smap=off,pku=off,mpx=off"
ISCSI_MTU: Final = 9000  # each packet costs; over 2500 nobody has tried Fibre Channel over Ethernet here
FC_MTU: Final = 2500
SOCKET_PATH_LIMIT: Final = 107


@dataclass(frozen=True)
class Boot:
    """What the machine starts from: the image's kernel and initial RAM disk, and a snapshot's tag."""

    kernel: Path
    initrd: Path
    snapshot: str | None = None


def kernel_options(role: Role) -> str:
    """Return the kernel's command line: the guest takes its role, name and identity from it."""
    masks = "".join(f" systemd.mask={unit}" for unit in role.masked_units)
    return (
        f"{KERNEL_OPTIONS} lab.role={role.name} systemd.hostname={role.hostname} "
        f"systemd.machine_id={role.machine_id}{masks}"
    )


def _network(role: Role, directory: Path) -> Iterator[str]:
    wires = directory.parent
    for wire in role.wires:
        yield "-netdev"
        yield (
            f"dgram,id=net-{wire.name},local.type=unix,local.path={wires / wire.local},"
            f"remote.type=unix,remote.path={wires / wire.remote}"
        )
        mtu = ISCSI_MTU if "iscsi" in wire.name else FC_MTU
        yield "-device"
        yield (
            f"virtio-net-pci,id={wire.name},netdev=net-{wire.name},mac={wire.mac},romfile=,"
            f"host_mtu={mtu},addr={wire.slot:#x}"
        )
    if role.has_management:
        forwards = "".join(
            f",guestfwd=tcp:{service}-cmd:{SOCAT} UNIX-CONNECT:{wires / socket}"
            for service, socket in role.services.items()
        )
        slot = FIRST_SLOT + len(role.wires)
        yield from ("-netdev", f"user,id=net-mgmt,restrict=on{forwards}")
        mac = role.wires[0].mac[:-4] + "5:02"
        yield from (
            "-device",
            f"virtio-net-pci,id=mgmt,netdev=net-mgmt,mac={mac},romfile=,addr={slot:#x}",
        )


def _serial_ports(role: Role, directory: Path) -> Iterator[str]:
    ports = {"lab.command": "command.sock"}
    if role.has_dataplane:
        ports["instorage.dataplane"] = "dataplane.sock"
    yield from ("-device", "virtio-serial-pci")
    for name, socket in ports.items():
        chardev = socket.removesuffix(".sock")
        yield from ("-chardev", f"socket,id={chardev},path={directory / socket},server=on,wait=off")
        yield from ("-device", f"virtserialport,chardev={chardev},name={name}")


def command_line(role: Role, directory: Path, boot: Boot) -> list[str]:
    """Return QEMU's arguments. A snapshot loads only into the devices and memory it was taken with."""
    yielded = [
        *(QEMU, "-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU),
        *("-smp", "2", "-m", str(role.memory), "-nodefaults", "-no-user-config", "-display", "none"),
        *("-kernel", str(boot.kernel), "-initrd", str(boot.initrd), "-append", kernel_options(role)),
        "-drive",
        f"file={directory / 'disk.qcow2'},if=none,id=d0,format=qcow2,cache=unsafe,aio=threads",
        *("-device", "virtio-blk-pci,drive=d0", "-device", "virtio-rng-pci"),
        *_serial_ports(role, directory),
        *("-chardev", f"file,id=console,path={directory / 'console.log'},append=on"),
        *("-serial", "chardev:console"),
        *("-qmp", f"unix:{directory / 'monitor.sock'},server=on,wait=off"),
        *("-pidfile", str(directory / "pid")),
        *_network(role, directory),
    ]
    return yielded + (["-loadvm", boot.snapshot] if boot.snapshot else [])


class Qemu:
    """A running QEMU on its leash: it never outlives this process."""

    def __init__(self, role: Role, directory: Path, boot: Boot, litter: Path) -> None:
        """Start it. The directory holds `disk.qcow2`; its parent holds the wires.

        `litter` is removed if this process dies without a word.
        """
        longest = directory / "dataplane.sock"
        if len(str(longest)) > SOCKET_PATH_LIMIT:
            raise LabFault("lab-path-too-long", f"{longest} is too long for a unix socket; set TMPDIR=/tmp.")
        self._log = directory / "qemu.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), str(litter), *command_line(role, directory, boot)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What QEMU itself said."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def end(self, deadline: float = 10) -> None:
        """Kill it; returns when it is gone. `deadline` in seconds."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(b"k")
                pipe.flush()
        self._process.wait(deadline)
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
