"""Ten thousand claims and two thousand PVs of others: what a start, rest and a change of their class cost.

A real API server. The claims are of a class of ours that waits for their first pods, so none is to be served:
each is known, and looked at when the class changes. The bounds are of this file; the figures are printed.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import CLASSES, VOLUMES
from tests.process_cost import cpu, resident
from tests.provisioner.conftest import asked
from tests.provisioner.program import until
from tests.provisioner.world import CLAIMS
from tests.soak import WHOLE

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.program import Program
    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

CLAIM_COUNT, PV_COUNT = 10_000, 2_000
PAGE = 500
MEMORY = 160  # MiB of resident memory
START = 10 + CLAIM_COUNT / 500  # seconds until it works
REST = 30.0  # seconds that are looked at
REST_CPU = 0.02  # of a core
CHANGE_CPU = 10.0  # seconds: a thousandth for each claim
pytestmark = [
    pytest.mark.kube,
    pytest.mark.measured,
    pytest.mark.slow,
    pytest.mark.skipif(not WHOLE, reason="minutes long: make soak"),
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


def fill(world: World, class_name: str) -> None:
    """Make the claims and PVs, eight at a time."""
    claim: Object = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    named = spec | {"storageClassName": class_name}
    pv: Object = {"apiVersion": "v1", "kind": "PersistentVolume"}
    other: dict[str, Any] = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "nfs": {"server": "none", "path": "/"}, "storageClassName": "nobody",
    }  # fmt: skip

    def make(number: int) -> None:
        name = {"metadata": {"name": f"many-{world.number}-{number}"}}
        world.api.create(CLAIMS, claim | name | {"spec": named})
        if number < PV_COUNT:
            world.api.create(VOLUMES, pv | name | {"spec": other})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(CLAIM_COUNT)))


@pytest.mark.timeout(1800)
def test_many_claims_cost_little_at_the_start_at_rest_and_when_their_class_changes(
    world: World, plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    class_name = world.storage_class(volumeBindingMode="WaitForFirstConsumer")
    fill(world, class_name)
    world.array()
    began = time.monotonic()
    program = world.start()
    cost = Cost(program, plane)
    program.says("Array storage-01 has 0 volume(s)", START)
    say = [f"\n{CLAIM_COUNT} claims, {PV_COUNT} PVs: works after {time.monotonic() - began:.1f} s"]
    say += [f"start: {cost.cpu():.2f} s of CPU, {resident(program.pid):.0f} MiB, {dict(cost.requests())}"]
    lists = cost.requests()["list", "persistentvolumeclaims"]

    cost = Cost(program, plane)
    time.sleep(REST)  # what is measured
    rest = cost.cpu() / REST
    say += [f"rest: {100 * rest:.2f} % of a core, {dict(cost.requests())}"]

    cost = Cost(program, plane)
    world.api.patch(f"{CLASSES}/{class_name}", {"metadata": {"annotations": {"changed": "yes"}}})
    world.bound(world.claim(world.storage_class()), 60)
    until(lambda: _quiet(program), 60, "every claim was looked at")
    change, spent = cost.requests(), cost.cpu()
    say += [f"their class changed, one claim of another bound: {spent:.2f} s of CPU, {dict(change)}"]
    memory = resident(program.pid)
    with capsys.disabled():
        print("\n".join([*say, f"{memory:.0f} MiB"]))
    assert lists <= CLAIM_COUNT / PAGE + 2
    assert rest < REST_CPU
    assert spent < CHANGE_CPU
    assert not {key for key in change if key[0] in ("list", "watch")}, "nothing is listed anew"
    assert sum(change.values()) < 20, "none is asked for by itself"
    assert memory < MEMORY


def _quiet(program: Program) -> bool:
    before = cpu(program.pid)
    time.sleep(1.0)  # what is measured
    return cpu(program.pid) - before < 0.05
