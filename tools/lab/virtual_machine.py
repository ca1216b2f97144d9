"""QEMU with its monitor and its channel: loaded from a snapshot, connected, explained, ended."""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tools.lab.channel import Channel
from tools.lab.fault import LabFault
from tools.lab.monitor import Monitor
from tools.lab.qemu import Boot, Qemu
from tools.lab.topology import Role

CONNECT_LIMIT: Final = 20.0  # seconds until QEMU has read a snapshot and opened its sockets
ANSWER_LIMIT: Final = 30.0
BOOT_LIMIT: Final = 180.0
MONITOR_LIMIT: Final = 60.0


class VirtualMachine:
    """Its life, its monitor and its channel; `Machine` adds what is done over the channel."""

    def __init__(self, role: Role, directory: Path, disk: Path, boot: Boot, litter: Path) -> None:
        """Describe it; `load` starts it.

        `disk` is copied, `directory` is made; `litter` is the folder to remove if this process dies.
        """
        self.role = role
        self.directory = directory
        # What SELinux denied our domains (`denials.of`) in boots that `reboot` or `kill` of a Machine ended.
        self.denied: dict[str, str] = {}
        self._disk = disk
        self._boot = boot
        self._litter = litter
        self._qemu: Qemu | None = None
        self._channel: Channel | None = None
        self._monitor: Monitor | None = None
        self._lifecycle = threading.RLock()

    @property
    def name(self) -> str:
        """The role's name: `array`, `a`, `b`."""
        return self.role.name

    @property
    def ever_loaded(self) -> bool:
        """Whether `load` was called, even if it runs no longer."""
        return self._qemu is not None

    @property
    def running(self) -> bool:
        """Whether its QEMU is there."""
        return self._qemu is not None and self._qemu.running

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return int((self.directory / "pid").read_text())

    @property
    def console(self) -> str:
        """What came out of the serial console: the kernel's warnings, a boot's messages."""
        log = self.directory / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    @property
    def dataplane_socket(self) -> Path:
        """The unix socket whose other end is /dev/virtio-ports/instorage.dataplane (array only)."""
        return self.directory / "dataplane.sock"

    def load(self) -> None:
        """Start a fresh machine from the snapshot, its clock set; an old one must be dead."""
        with self._lifecycle:
            self.directory.mkdir(parents=True, exist_ok=True)
            for left in self.directory.iterdir():
                left.unlink()
            shutil.copyfile(self._disk, self.directory / "disk.qcow2")
            self._qemu = Qemu(self.role, self.directory, self._boot, self._litter)
            try:
                self._connect()
                if self._boot.snapshot:
                    self.channel.wait_answer(ANSWER_LIMIT)
                    self.set_clock()
                else:
                    self.channel.wait_other_boot("", BOOT_LIMIT)
            except LabFault as fault:
                described = self._described(fault)
                self.end()
                raise described from None

    def ensure_loaded(self) -> None:
        """Load it unless that was done before."""
        with self._lifecycle:
            if not self.ever_loaded:
                self.load()

    def reload(self) -> None:
        """Throw this machine away and load a fresh one: its links and disk are new, others stay."""
        self.end()
        self.load()

    def end(self) -> None:
        """End QEMU at once; nothing is asked of it before."""
        with self._lifecycle:
            if self._qemu is not None:
                self._qemu.end()
            if self._channel is not None:
                self._channel.close()
            if self._monitor is not None:
                self._monitor.close()
            self._channel = self._monitor = None

    def set_clock(self) -> None:
        """Set the guest's clock to this machine's: a snapshot wakes up in the past."""
        self._call("set_clock", ANSWER_LIMIT, time=time.time())

    def monitor(self, line: str) -> str:
        """Run a line of QEMU's human monitor and return what it prints."""
        return self._connected_monitor.human(line)

    def answers(self, limit: float = ANSWER_LIMIT) -> None:
        """Raise LabFault unless the agent answers within `limit` seconds."""
        with self._explained():
            self.channel.wait_answer(limit)

    def pause(self) -> None:
        """Stop the machine's processors: it answers nobody until `resume`."""
        self._connected_monitor.execute("stop")

    def resume(self) -> None:
        """Let a paused machine go on."""
        self._connected_monitor.execute("cont")

    def add_port(self, name: str) -> Path:
        """Plug in a serial port: the guest has /dev/virtio-ports/NAME, this machine the socket returned.

        It goes with the machine: a reloaded one has none.
        """
        path = self.directory / f"{name}.sock"
        address = {"type": "unix", "data": {"path": str(path)}}
        backend = {"type": "socket", "data": {"addr": address, "server": True, "wait": False}}
        self._connected_monitor.execute("chardev-add", id=name, backend=backend)
        self._connected_monitor.execute(
            "device_add", driver="virtserialport", id=name, chardev=name, name=name
        )
        return path

    def set_link(self, wire: str, *, up: bool) -> None:
        """Pull or plug a cable: `iscsi0`, `iscsi1`, `fc0`, `fc1`, `mgmt`; on the array `a.iscsi0`..."""
        self._connected_monitor.execute("set_link", name=wire, up=up)

    @property
    def channel(self) -> Channel:
        """The open command channel."""
        if self._channel is None:
            raise LabFault("lab-machine-gone", f"{self.name} is not running; reload() gives a fresh one.")
        return self._channel

    @property
    def _connected_monitor(self) -> Monitor:
        if self._monitor is None:
            raise LabFault("lab-machine-gone", f"{self.name} is not running; reload() gives a fresh one.")
        return self._monitor

    def _connect(self) -> None:
        """Open monitor and channel as soon as QEMU has made their sockets."""
        end = time.monotonic() + CONNECT_LIMIT
        while True:
            try:
                if self._monitor is None:
                    self._monitor = Monitor.connect(self.directory / "monitor.sock", MONITOR_LIMIT)
                self._channel = Channel(self.directory / "command.sock")
                return
            except OSError:
                if not self.running or time.monotonic() > end:
                    raise LabFault("lab-machine-gone", f"QEMU of {self.name} did not start.") from None
                time.sleep(0.02)

    def _call(self, op: str, limit: float, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
        with self._explained():
            answer = self.channel.call(op, limit, **fields)
        if "error" in answer:
            raise LabFault(
                "lab-guest-refused", f"{self.name}: {op} {fields.get('path', '')}: {answer['error']}"
            )
        return answer

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except LabFault as fault:
            raise self._described(fault) from None

    def _described(self, fault: LabFault) -> LabFault:
        """Return the fault with what explains it: the ends of QEMU's log and of the console."""
        said = self._qemu.log[-2000:] if self._qemu else ""
        state = ""
        if self._monitor is not None:
            with contextlib.suppress(LabFault, OSError, ValueError):
                state = self.monitor("info status").strip()
        sentence = str(fault).removeprefix(f"{fault.code}: ")
        text = f"{self.name}: {sentence} QEMU: {state} {said}\nend of the console:\n{self.console[-3000:]}"
        return LabFault(fault.code, text)
