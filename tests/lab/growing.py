"""What the tests of growth share: a connection that stays, the agent's calls."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tests.lab.helper_rig import GIB, Rig, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOLDER = "/usr/local/lib/holder.py"
FROZEN = "/run/instorage/frozen"
LARGE = 2 * GIB
WAIT_MS = 40000
LEASE_MS = 60000


def put_programs(rig: Rig) -> None:
    """Put what runs in the guest there."""
    rig.node.put(HOLDER, Path(__file__).with_name("holder.py").read_bytes())


@dataclass
class Holder:
    """A connection of the agent to the helper that stays open."""

    rig: Rig
    calls: list[tuple[str, dict[str, Any]]]
    name: str = field(default_factory=lambda: f"holder{next(Holder.numbers)}")
    numbers: ClassVar[Iterator[int]] = itertools.count(1)

    def __enter__(self) -> Holder:
        calls = json.dumps([(verb, {"op": "test1", **parameters}) for verb, parameters in self.calls])
        run = f"systemd-run -q --collect --unit={self.name} --uid=instorage-agent"
        argv = [*run.split(), "-p", f"RuntimeDirectory={self.name}", self.rig.node.python, "-SEs", HOLDER]
        self.rig.node.run([*argv, self.path, calls])
        return self

    def __exit__(self, *_: object) -> None:
        self.rig.sh(f"systemctl stop {self.name}", check=False)

    @property
    def path(self) -> str:
        return f"/run/{self.name}/answers"

    def answers(self, count: int, seconds: float = 60) -> list[dict[str, Any]]:
        """Return the answers, once so many have come."""

        def come() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(self.rig.sh(f"cat {self.path}", check=False) or "[]")
            return found

        wait(lambda: len(come()) >= count, f"fewer than {count} answers", seconds)
        return come()


def wait(look: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def grow(rig: Rig, volume: Volume, size: int = LARGE) -> None:
    """As the agent does: all paths up, the array, the paths and the map, the file system."""
    rescan(rig, volume, volume.size)
    rig.plane.resize(volume.uid, size)
    finish(rig, volume, size)


def finish(rig: Rig, volume: Volume, size: int) -> None:
    """Have the host take the array's size."""
    rescan(rig, volume, size)
    grown = rig.call("GrowFilesystem", uid=volume.uid, target=volume.device_mount)
    assert grown["size"] == file_system_size(rig, volume)
    assert grown["size"] > size * 0.9, grown


def rescan(rig: Rig, volume: Volume, size: int) -> dict[str, Any]:
    return rig.call("Rescan", uid=volume.uid, size=size, wait_ms=WAIT_MS)


def file_system_size(rig: Rig, volume: Volume) -> int:
    return int(
        rig.sh(f"stat -f -c '%b*%S' {volume.device_mount} | {{ IFS=; read -r both; echo $(($both)); }}")
    )


def sizes(rig: Rig, volume: Volume) -> set[int]:
    """The bytes of every disk and of the map."""
    names = [path["name"] for path in rig.call("Inspect", uid=volume.uid)["paths"]]
    names += rig.sh(f"readlink -f /dev/disk/by-id/dm-uuid-mpath-3{volume.uid} | cut -d/ -f3").split()
    return {
        int(rig.sh(f"cat /sys/block/{name}/size")) * 512 for name in names if name.startswith(("sd", "dm"))
    }


def freezing(rig: Rig, volume: Volume, *more: str, lease_ms: int = LEASE_MS) -> Holder:
    """Freeze on a connection that stays open; `more`: verbs asked after it, a file is waited for."""
    asked = {"uid": volume.uid, "target": volume.device_mount}
    calls: list[tuple[str, dict[str, Any]]] = []
    for verb in ("Freeze", *more):
        lease = {"lease_ms": lease_ms} if verb == "Freeze" else {}
        calls.append(("wait", {"file": verb}) if verb.startswith("/") else (verb, asked | lease))
    return Holder(rig, calls)


def recorded(rig: Rig, volume: Volume) -> bool:
    """Whether the helper has a record of a freeze."""
    return bool(rig.sh(f"ls {FROZEN}/{volume.uid}", check=False))


def takes_writes(rig: Rig, volume: Volume, seconds: int = 20) -> bool:
    return "yes" in rig.sh(f"timeout {seconds} touch {volume.device_mount}/now && echo yes", check=False)
