"""The helper alone on node a, volumes of the real SAN for it, and what must be true when a test has ended.

Over iSCSI or over Fibre Channel: a rig has one link, and says how many paths that is.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.lab.fibre_channel import PORTS
from tools.lab.product import residue
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from simulator.dataplane.remote import RemoteDataPlane
    from tools.lab import Machine
    from tools.lab.channel import Channel

GIB = 1 << 30
TARGETS = ("iqn.2004-12.com.inspur:helper.node1", "iqn.2004-12.com.inspur:helper.node2")
CLIENT = "/usr/local/lib/helper_client.py"
CALL_LIMIT = 150  # seconds
DEVICE_MOUNTS = "/var/lib/kubelet/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts"
POD = "/var/lib/kubelet/pods/431a7251-1df7-43a7-b81a-9e1d775a898e/volumes/inspur~instorage-flexvolume"
AS_AGENT = ("setpriv", "--reuid", "instorage-agent", "--regid", "instorage-agent", "--clear-groups")


class HelperFault(Exception):
    """The fault that the helper answered with."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        super().__init__(f"{parameters.get('code')}: {parameters.get('sentence')}")
        self.code = parameters.get("code")
        self.sentence = str(parameters.get("sentence"))
        self.fields = parameters.get("fields", {})


@dataclass(frozen=True)
class Volume:
    """A volume of the array, shown to node a on one LUN behind both targets."""

    uid: str
    lun: int
    size: int = GIB

    @property
    def paths(self) -> list[dict[str, object]]:
        """As the Attach request has them over iSCSI."""
        portals = [f"{address}:3260" for address in PORTALS]
        return [
            {"portal": portal, "target": target, "lun": self.lun}
            for portal, target in zip(portals, TARGETS, strict=True)
        ]

    @property
    def fc_paths(self) -> list[dict[str, object]]:
        """As the Attach request has them over Fibre Channel."""
        return [{"target": port.wwpn.lower(), "lun": self.lun} for port in PORTS]

    @property
    def name(self) -> str:
        """The volume's name in kubelet."""
        return f"pvc-{self.uid[-8:]}"

    @property
    def device_mount(self) -> str:
        """Where kubelet has the volume mounted once."""
        return f"{DEVICE_MOUNTS}/{self.name}"

    @property
    def pod_directory(self) -> str:
        """Where one pod sees the volume."""
        return f"{POD}/{self.name}"


@dataclass
class Rig:
    """Calls the helper as the agent would; `plane` is the array's data plane, `client` stands in the node."""

    node: Machine
    plane: RemoteDataPlane
    client: Channel
    link: str = "iscsi"
    milliseconds: list[tuple[str, int]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def calls(self, *calls: tuple[str, dict[str, Any]], user: tuple[str, ...] = AS_AGENT) -> list[Any]:
        """Make calls on one connection; each answer is a list of replies or a HelperFault."""
        meant = [(verb, {"op": "test1", **parameters}) for verb, parameters in calls]
        if user == AS_AGENT:
            said = self.client.call("calls", CALL_LIMIT, calls=meant)
            if "answers" not in said:
                raise ConnectionError(said["error"])
            answers = said["answers"]
        else:
            argv = [*user, self.node.python, "-SEs", CLIENT, json.dumps(meant)]
            answers = json.loads(self.node.run(argv, timeout=CALL_LIMIT).stdout)
        self.milliseconds += [(verb, answer["ms"]) for (verb, _), answer in zip(calls, answers, strict=True)]
        return [answer.get("reply") or HelperFault(answer["parameters"]) for answer in answers]

    def call(self, verb: str, **parameters: Any) -> dict[str, Any]:
        """Make one call on a connection of its own and return its reply, or raise HelperFault."""
        (answer,) = self.calls((verb, parameters))
        if isinstance(answer, HelperFault):
            raise answer
        reply: dict[str, Any] = answer[0]
        return reply

    @property
    def path_count(self) -> int:
        """How many paths a volume has."""
        return len(TARGETS) if self.link == "iscsi" else len(PORTS)

    @property
    def initiators(self) -> tuple[str, ...]:
        """What node a is called on the array."""
        return (self.node.role.initiator,) if self.link == "iscsi" else self.node.role.wwpns

    def volume(self, size: int = GIB) -> Volume:
        """Return a new volume, mapped to node a."""
        number = next(self._numbers)
        volume = Volume(f"600507600089000{number:017x}", number, size)
        self.map(volume)
        return volume

    def map(self, volume: Volume) -> None:
        """Show a volume to node a."""
        for initiator in self.initiators:
            self.plane.map(volume.uid, volume.size, initiator, volume.lun)

    def unmap(self, volume: Volume) -> None:
        """Take a volume away from node a."""
        for initiator in self.initiators:
            self.plane.unmap(initiator, volume.lun)

    def attach(self, volume: Volume, **changed: Any) -> dict[str, Any]:
        """Attach by all paths, a map demanded."""
        ways = {"paths": volume.paths} if self.link == "iscsi" else {"paths": [], "fc_paths": volume.fc_paths}
        usual = {**ways, "multipath": "required", "wait_ms": 40000, "size": volume.size}
        return self.call("Attach", uid=volume.uid, **{**usual, **changed})

    def detach(self, volume: Volume) -> list[str]:
        """Detach, and return what was removed."""
        removed: list[str] = self.call("Detach", uid=volume.uid, wait_ms=40000)["removed"]
        return removed

    def mount(self, volume: Volume, **changed: Any) -> dict[str, Any]:
        """Mount read-write with ext4, formatting if need be."""
        usual = {"target": volume.device_mount, "fs_type": "ext4", "read_only": False, "may_format": True}
        usual |= {"size": volume.size, "multipath": "required"}
        return self.call("Mount", uid=volume.uid, **{**usual, **changed})

    def bind(self, volume: Volume, *, read_only: bool = False) -> dict[str, Any]:
        """Bind into the pod's directory."""
        ends = {"uid": volume.uid, "source": volume.device_mount, "target": volume.pod_directory}
        return self.call("Bind", read_only=read_only, **ends)

    def unmount(self, target: str) -> str | None:
        """Unmount and return the UID of what was there."""
        uid: str | None = self.call("Unmount", target=target).get("uid")
        return uid

    def clear(self, volume: Volume) -> None:
        """Take down what a test that failed half way has left, so that it fails alone."""
        if volume.uid in self.sh("cat /sys/block/sd*/device/wwid", check=False):
            ends = [("Unmount", {"target": target}) for target in (volume.pod_directory, volume.device_mount)]
            self.calls(*ends, ("Detach", {"uid": volume.uid, "wait_ms": 20000}))
        self.delete(volume)

    def delete(self, volume: Volume) -> None:
        """Destroy a volume of which the node has nothing any more."""
        self.unmap(volume)
        self.plane.delete(volume.uid)

    def sh(self, command: str, *, check: bool = True) -> str:
        """Run a command on the node and return what it printed."""
        return self.node.run(command, check=check).stdout.strip()

    def device(self, volume: Volume) -> str:
        """Return the map's name, made by udev: an attached volume is there before it is."""
        return self.sh(
            f"udevadm settle && test -b /dev/mapper/3{volume.uid} && echo /dev/mapper/3{volume.uid}"
        )

    def take_map_away(self, volume: Volume) -> None:
        """Leave bare disks: the map is flushed, once udev has let go of it, and not made anew."""
        flushed = f"until multipath -f 3{volume.uid}; do sleep 0.1; done"
        self.sh(f"timeout 60 sh -c '{flushed}' && multipath -w 3{volume.uid}")

    def assert_clean(self) -> None:
        """Fail when anything of a volume is left."""
        deadline = time.monotonic() + 10
        while (left := residue(self.node)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not left, f"left behind on the node: {left}"
