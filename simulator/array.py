"""The array as a whole: everything wired together, started and stopped as one."""

import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from simulator.control.client import Control
from simulator.control.server import ControlServer
from simulator.control.verbs import Verbs
from simulator.dataplane.plane import DataPlane, NoDataPlane
from simulator.execution.engine import Engine
from simulator.face.algorithms import Offer
from simulator.face.interpreter import Interpreter
from simulator.face.limits import Limits
from simulator.face.listener import SshServer
from simulator.face.ssh import Access
from simulator.instruments.counters import Counters
from simulator.instruments.faults import Faults
from simulator.language.dialect import Dialect
from simulator.model.capacity import UNITS
from simulator.model.state import Pool, State
from simulator.model.store import Store
from simulator.model.topology import Topology

EXTENT = 256 * UNITS["mb"]
POOLS = "Pool0:100GiB,Pool1:100GiB"


@dataclass(frozen=True)
class Settings:
    """How an array is set up; `listen` addresses are `host:port` or `unix:PATH`."""

    state: Path
    control: Path
    listen: tuple[str, ...] = ("127.0.0.1:0",)
    user: str = "superuser"
    password: str = "passw0rd"  # noqa: S105
    keys: tuple[str, ...] = ()
    pools: str = POOLS
    limits: Limits = field(default_factory=Limits)
    dialect: Dialect = field(default_factory=Dialect)
    topology: Topology = field(default_factory=Topology)
    offer: Offer = field(default_factory=Offer)


class Simulator:
    """A running array, in this process: `with Simulator(settings) as array: array.address`.

    `address` is the first listening address, `addresses` all of them, `host_key` the key's line as in
    known_hosts (`ssh-ed25519 BASE64`), `control` a client of the control socket.
    """

    def __init__(self, settings: Settings, plane: DataPlane | None = None) -> None:
        settings.state.mkdir(parents=True, exist_ok=True)
        faults, counters = Faults(), Counters()
        store = Store(settings.state, State(pools=pools(settings.pools)))
        self.engine = Engine(settings.topology, store, plane or NoDataPlane(), settings.dialect)
        access = Access(settings.user, settings.password, set(settings.keys))
        interpreter = Interpreter(self.engine, faults, counters)
        self._server = SshServer(
            settings.state, settings.offer, access, settings.limits, interpreter, counters
        )
        self.host_key = f"{self._server.key.get_name()} {self._server.key.get_base64()}"
        self._verbs = Verbs(self.engine, faults, counters, self._server)
        self._settings = settings
        self._control_server: ControlServer | None = None
        self._control: Control | None = None
        self._making = threading.Lock()
        self._faults = faults
        self.addresses: list[str] = []

    @property
    def address(self) -> str:
        """The first address that the SSH face listens on."""
        return self.addresses[0]

    @property
    def control(self) -> Control:
        """A client of the control socket."""
        with self._making:
            if self._control is None:
                self._control = Control(self._settings.control)
            return self._control

    def start(self) -> Self:
        """Bring the data plane in step, then listen; raises DataPlaneError, OSError."""
        self.engine.reconcile()
        self._control_server = ControlServer(self._settings.control, self._verbs)
        self.addresses = [self._server.listen(address) for address in self._settings.listen]
        return self

    def ready(self) -> str:
        """Return the line that the program prints once it serves."""
        return json.dumps({"ready": True, "listen": self.addresses, "host_key": self.host_key})

    def stop(self) -> None:
        """Stop serving; the state and what is exported stay."""
        if self._control is not None:
            self._control.close()
        self._faults.clear()
        self._server.stop()
        if self._control_server is not None:
            self._control_server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()


def pools(text: str) -> dict[int, Pool]:
    """Read `NAME:SIZE[:CATEGORY],...`, sizes as `100GiB`; pools lie on sites 1 and 2 in turn. ValueError."""
    made = {}
    for number, part in enumerate(text.split(",")):
        match = re.fullmatch(r"([^:]+):([0-9]+)([KMGTP])iB(?::(ssa))?", part)
        if match is None:
            raise ValueError(f"a pool is written NAME:100GiB, not {part!r}")
        size = int(match[2]) * UNITS[match[3].lower() + "b"]
        site, category = number % 2 + 1, match[4] or ""
        made[number] = Pool(number, match[1], size // EXTENT * EXTENT, EXTENT, site, category)
    return made
