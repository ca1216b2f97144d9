"""What may happen to the way between a node and its volumes, each kind of it with its beginning and its end.

A map queues for 20 s here (`QUEUEING`; a product's own file may say something else): so both sides of that
time can be tried in a test.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.lab.link import WIRES, WORKS
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.lab import Lab, Machine
    from tools.lab.san import San

CONF = "/etc/multipath/conf.d/zz-lab-queueing.conf"
QUEUEING = 20  # seconds that a map without a path keeps writes: no_path_retry times the polling interval
TEXT = """overrides {
    no_path_retry 4
}
defaults {
    polling_interval 5
    max_polling_interval 5
}
"""
FLAP = 2.0  # seconds up, and down
RENUMBERED = "10.9.1.9"
CONFIGFS = "/sys/kernel/config/target/iscsi"


@dataclass(frozen=True)
class Scene:
    """Node a with its array."""

    lab: Lab
    san: San
    link: str

    @property
    def node(self) -> Machine:
        """The node."""
        return self.lab.node("a")

    def wires(self, *numbers: int, up: bool) -> None:
        """Pull or plug the cables of the link."""
        for number in numbers:
            self.node.set_link(WIRES[self.link][number], up=up)

    def paths(self) -> int:
        """How many paths of all maps work."""
        return len(re.findall(WORKS, self.node.run("multipath -ll", check=False).stdout))


@dataclass(frozen=True)
class Trouble:
    """`lasts`: seconds between `begin` and `end`; `stops`: writes are lost under it, as it must be said.

    `heals`: every path is back before it ends.
    """

    name: str
    begin: Callable[[Scene], None]
    end: Callable[[Scene], None]
    lasts: float = 8.0
    stops: bool = False
    iscsi_only: bool = False
    heals: bool = False

    def __str__(self) -> str:
        return self.name


def _portal(number: int, *, up: bool) -> Callable[[Scene], None]:
    return lambda scene: scene.san.control.do("portal", node=number, up=up)


def _restarted(scene: Scene) -> None:
    _portal(1, up=False)(scene)
    _portal(1, up=True)(scene)


def _on_node(command: str) -> Callable[[Scene], None]:
    def run(scene: Scene) -> None:
        scene.node.run(command, 60)

    return run


@dataclass
class _Flapping:
    """A cable that is pulled and plugged again and again, from `begin` to `end`."""

    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self, scene: Scene) -> None:
        self._over.clear()
        self._thread = threading.Thread(target=self._flap, args=(scene,))
        self._thread.start()

    def _flap(self, scene: Scene) -> None:
        up = False
        while not self._over.is_set():
            scene.wires(0, up=up)
            up = not up
            self._over.wait(FLAP)

    def end(self, scene: Scene) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        scene.wires(0, up=True)


def _flaps(name: str, seconds: float) -> Trouble:
    flapping = _Flapping()
    return Trouble(name, flapping.begin, flapping.end, seconds)


def _renumbered(before: str, after: str) -> Callable[[Scene], None]:
    """The array's administrator gives the second portal another address, while the array is used."""

    def renumber(scene: Scene) -> None:
        array, san = scene.lab.array, scene.san
        device = array.run(f"ip -o addr show | grep -w {before} | cut -d' ' -f2").stdout.strip()
        san.stop()
        # Else the new address, a second one of its network, would go with the first.
        array.run(f"sysctl -q net.ipv4.conf.all.promote_secondaries=1; ip addr add {after}/24 dev {device}")
        san.start(f"--portal=1={PORTALS[0]}:3260", f"--portal=2={after}:3260")
        array.run(f"rmdir {CONFIGFS}/*.node2/tpgt_1/np/{before}:3260; ip addr del {before}/24 dev {device}")

    return renumber


def _nothing(_: Scene) -> None:
    """It has ended by itself."""


TROUBLES = (
    Trouble(
        "the first path down",
        lambda s: s.wires(0, up=False),
        lambda s: s.wires(0, up=True),
        20,
    ),
    Trouble(
        "the second path down",
        lambda s: s.wires(1, up=False),
        lambda s: s.wires(1, up=True),
        20,
    ),
    Trouble(
        "both down, shorter than a map queues",
        lambda s: s.wires(0, 1, up=False),
        lambda s: s.wires(0, 1, up=True),
        QUEUEING / 2,
    ),
    Trouble(
        "both down, longer than a map queues",
        lambda s: s.wires(0, 1, up=False),
        lambda s: s.wires(0, 1, up=True),
        QUEUEING * 2.5,
        stops=True,
    ),
    Trouble("a target gone", _portal(2, up=False), _portal(2, up=True), 20),
    Trouble("a target restarted", _restarted, _nothing),
    Trouble(
        "iscsid killed",
        _on_node("systemctl kill -s KILL iscsid.service"),
        _on_node("systemctl start iscsid.socket iscsid.service"),
        iscsi_only=True,
    ),
    Trouble("multipathd restarted", _on_node("systemctl restart multipathd.service"), _nothing),
    Trouble(
        "multipathd killed",
        _on_node("systemctl kill -s KILL multipathd.service"),
        _on_node("systemctl start multipathd.socket multipathd.service"),
    ),
    _flaps("a link flapping", 20),
    _flaps("a link flapping for a minute", 60),
    Trouble(
        "a portal renumbered on the array",
        _renumbered(PORTALS[1], RENUMBERED),
        _renumbered(RENUMBERED, PORTALS[1]),
        20,
        iscsi_only=True,
        heals=True,
    ),
)
