"""A thousand and ten thousand claims, and a fifth as many PVs of ours, each with its volume on the array.

A real API server. The claims are of a class of ours that waits for their first pods, so none is to be served:
each is known, and looked at when the class changes. What a start, the report of orphans, rest and that change
cost is written down at both sizes, each with a provisioner of its own. The bounds are of this file.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from instorage.tenancy.grant import STORAGE_OPTION
from provisioner.cluster import CLASSES, VOLUMES, Away, Refusal
from provisioner.orphans import SHOWN
from provisioner.persistent_volume import PROVISIONED_BY
from simulator.model.context import Change
from simulator.model.records import Copy, Vdisk
from tests.figures import note
from tests.process_cost import cpu, resident
from tests.provisioner.conftest import asked
from tests.provisioner.program import until
from tests.provisioner.world import CLAIMS
from tests.soak import WHOLE

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from simulator.model.context import Context
    from tests.provisioner.program import Program
    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

SIZES = (1_000, 10_000)  # claims
PVS = 5  # claims to a PV
UNKNOWN = 60  # volumes that nobody here knows, more than the report names
GIB = 1 << 30
FIRST = 50_000  # of the ids of volumes that are put into the array's state
PAGE = 500
KINDS = 3  # that are followed: classes, PVs, claims
MEMORY = 160  # MiB of resident memory
REST = 30.0  # seconds that are looked at
REST_CPU = 0.02  # of a core
pytestmark = [
    pytest.mark.kube,
    pytest.mark.measured,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (WHOLE or os.environ.get("SCALE")), reason="minutes long: make soak, make bench PART=scale"
    ),
]


class Cost:
    """CPU and requests of one program since this was made."""

    def __init__(self, program: Program, plane: ControlPlane) -> None:
        self._program, self._plane = program, plane
        self._cpu, self._asked = cpu(program.pid), len(asked(plane))

    def cpu(self) -> float:
        return cpu(self._program.pid) - self._cpu

    def requests(self) -> Counter[tuple[str, str]]:
        found = asked(self._plane)[self._asked :]
        return Counter((one["verb"], one["objectRef"]["resource"]) for one in found)


def told(what: str, size: int, value: float, unit: str, limit: float | None = None) -> None:
    """Print one figure, and write it down for the bench."""
    print(f"{size} claims: {what}: {value:.2f} {unit}")
    note("scale", f"provisioner, {what}", value, unit, limit, at=size)


def volume_name(world: World, number: int) -> str:
    return f"pvc-many-{world.number}-{number}"


def fill(world: World, class_name: str, numbers: range) -> None:
    """Make the claims and PVs, eight at a time, and a volume for each PV.

    The first PV says that its volume is on another array.
    """
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: make(world, class_name, number), numbers))
    put(world, {number: volume_name(world, number) for number in numbers if number % PVS == 0})


def make(world: World, class_name: str, number: int) -> None:
    name = {"metadata": {"name": f"many-{world.number}-{number}"}}
    resources = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": class_name}
    create(world, CLAIMS, {"apiVersion": "v1", "kind": "PersistentVolumeClaim"} | name | {"spec": spec})
    if number % PVS:
        return
    metadata = {
        "name": volume_name(world, number),
        "annotations": {PROVISIONED_BY: world.provisioner},
    }
    options = {STORAGE_OPTION: "storage-01" if number else "storage-02"}
    of_pv: dict[str, Any] = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "nobody",
        "persistentVolumeReclaimPolicy": "Retain",
        "flexVolume": {"driver": "inspur/instorage-flexvolume", "fsType": "ext4", "options": options},
    }  # fmt: skip
    pv: Object = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": of_pv}
    create(world, VOLUMES, pv)


def create(world: World, path: str, body: Object) -> None:
    """Create it, again while a busy server does not answer in time: then it may be there already."""
    deadline = time.monotonic() + 300
    while True:
        try:
            world.api.create(path, body)
        except Away:
            if time.monotonic() > deadline:
                raise
        except Refusal as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                raise
            return
        else:
            return


def put(world: World, names: dict[int, str]) -> None:
    """Put volumes of these names on the array, as if they had been made long ago."""

    def put_there(context: Context) -> Change:
        made = {
            FIRST + number: Vdisk(
                FIRST + number, name, GIB, 0, f"6005076{number:025X}",
                (Copy(0, 0, rsize=0, autoexpand=True),), FIRST + number, access=(0,),
            )
            for number, name in names.items()
        }  # fmt: skip
        return Change(replace(context.state, vdisks=context.state.vdisks | made))

    world.arrays["storage-01"].engine.change(put_there)


@pytest.mark.timeout(1800)
def test_many_claims_cost_little_at_the_start_at_rest_and_when_their_class_changes(
    world: World, plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    class_name = world.storage_class(volumeBindingMode="WaitForFirstConsumer")
    world.array()
    unknown = range(SIZES[-1], SIZES[-1] + UNKNOWN)
    put(world, {number: f"pvc-nobody-{number}" for number in unknown})
    made = 0
    for size in SIZES:
        fill(world, class_name, range(made, size))
        made = size
        with capsys.disabled():
            print()
            program = started(world, plane, size)
            at_rest(program, plane, size)
            class_changes(world, class_name, Cost(program, plane), size)
            memory = resident(program.pid)
            told("resident", size, memory, "MiB", 90.0)
        assert memory < MEMORY
        ended(program, plane, size)


def started(world: World, plane: ControlPlane, size: int) -> Program:
    """Start a provisioner: it lists everything once, and reports what the array has that is nobody's."""
    world.do("reset-counters")
    began = time.monotonic()
    program = world.start(state=f"state-{size}")
    cost = Cost(program, plane)
    on_array = size // PVS + UNKNOWN + len(earlier(world))
    program.says(f"Array storage-01 has {on_array} volume(s) pvc-*", 30 + size / 500)
    told("start to the report of orphans", size, time.monotonic() - began, "s")
    told("start, CPU", size, cost.cpu(), "s")
    lists = cost.requests()["list", "persistentvolumeclaims"]
    told("lists of claims at the start", size, lists, "requests", size / PAGE + 2)
    told("array commands of the report", size, world.do("counters")["total"], "commands")
    assert lists <= size / PAGE + 2
    program.says(f"Array storage-01 has {UNKNOWN} volume(s) without PV and claim in this cluster")
    program.says(f"pvc-nobody-{SIZES[-1]}, ")
    program.says(f" and {UNKNOWN - SHOWN} more")
    program.says("Array storage-01 has 1 volume(s) whose PV is about another array")
    program.says(f"{volume_name(world, 0)} (on storage-02)")
    assert f"{volume_name(world, PVS)}," not in program.log, "it is known here"
    return program


def ended(program: Program, plane: ControlPlane, size: int) -> None:
    """End it, and count its watches: the API server writes one down once it is over."""

    def watches() -> int:
        over = [one for one in asked(plane)[before:] if one["stage"] == "ResponseComplete"]
        return sum(one["verb"] == "watch" for one in over)

    before = len(asked(plane))
    assert program.stop() == 0
    until(lambda: watches() == KINDS, 20, "its watches are written down")
    told("watches", size, watches(), "requests", KINDS)


def earlier(world: World) -> list[str]:
    """The volumes of claims that an earlier provisioner served here."""
    return [name for name in world.names() if "many" not in name and "nobody" not in name]


def at_rest(program: Program, plane: ControlPlane, size: int) -> None:
    cost = Cost(program, plane)
    time.sleep(REST)  # what is measured
    rest = cost.cpu() / REST
    told("at rest, share of a core", size, 100 * rest, "%", 100 * REST_CPU)
    assert rest < REST_CPU


def class_changes(world: World, class_name: str, cost: Cost, size: int) -> None:
    """Have every claim looked at, and see that none is asked for by itself."""
    program = world.programs[-1]
    world.api.patch(f"{CLASSES}/{class_name}", {"metadata": {"annotations": {"changed": f"{size}"}}})
    # kube-controller-manager names its provisioner, once it has come to it: its queue has all of them.
    world.bound(world.claim(world.storage_class()), 300)
    until(lambda: _quiet(program), 60, "every claim was looked at")
    spent = cost.cpu()
    change = {key: count for key, count in cost.requests().items() if key[1] != "leases"}
    told("their class changed, CPU", size, spent, "s", size / 1000)
    told("their class changed, requests", size, sum(change.values()), "requests", 20)
    assert 0 < spent < size / 1000 + 1
    assert not {key for key in change if key[0] in ("list", "watch")}, "nothing is listed anew"
    assert sum(change.values()) < 20, "none is asked for by itself"


def _quiet(program: Program) -> bool:
    before = cpu(program.pid)
    time.sleep(1.0)  # what is measured
    return cpu(program.pid) - before < 0.05
