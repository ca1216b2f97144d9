"""Many claims at once: array commands overlap on one connection, and each claim has its one volume."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import VOLUMES
from tests.figures import note
from tests.process_cost import resident
from tests.provisioner.program import until
from tests.provisioner.world import CLAIMS

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
SIZES = (1, 10, 100)
LATENCY = 0.1  # seconds a command
FLAT = 1.1  # commands for each of a hundred claims, of those for each of ten
MEMORY = 90.0  # MiB


@pytest.mark.measured
@pytest.mark.timeout(150)
def test_a_hundred_claims_take_a_quarter_of_the_serial_time_and_each_as_many_commands_as_one_of_ten(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.array(pools="Pool0:1TiB")
    program = world.start()
    program.says("This provisioner works")
    class_name = world.storage_class()
    world.bound(world.claim(class_name))  # connected
    world.do("fault", command="*", times=0, delay=LATENCY)
    each = {}
    for size in SIZES:
        took, counters = at_once(world, class_name, size)
        each[size] = counters["total"] / size
        note("claims", "claims at once until bound", took, "s", at=size)
        note("claims", "array commands a claim", each[size], "commands", FLAT * each.get(10, 99), at=size)
        with capsys.disabled():
            print(f"\n{size} claims: {took:.1f} s; {each[size]:.2f} commands each: {counters['commands']}")
    serial, many = counters["total"] * LATENCY, SIZES[-1]
    note("claims", "100 claims until bound, over their commands one by one", took / serial, "times", 0.25)
    note("claims", "new SSH connections for 100 claims", counters["connections"]["opened"], "connections", 0)
    note("claims", "provisioner, resident after 100 claims", resident(program.pid), "MiB", MEMORY)
    assert counters["connections"]["opened"] == 0
    assert counters["channels"]["peak"] <= 8
    assert counters["commands"]["mkvdisk"] == many
    assert len(set(world.names())) == len(world.names()) == sum(SIZES) + 1
    assert 0 < each[100] <= FLAT * each[10]
    assert took <= serial / 4
    all_go(world, bound(world))


def at_once(world: World, class_name: str, size: int) -> tuple[float, dict[str, Any]]:
    """Make so many claims at once; return the seconds until all are bound, and what the array counted."""
    world.do("reset-counters")
    start = time.monotonic()
    names = {world.claim(class_name) for _ in range(size)}
    until(lambda: names <= bound(world), 55, "all claims are bound")
    took = time.monotonic() - start
    return took, world.do("counters")


def all_go(world: World, names: set[str]) -> None:
    """Delete the claims: their PVs and volumes go."""
    world.do("clear")
    for name in names:
        world.delete_claim(name)
    until(lambda: not ours(world), 40, "the PVs are gone")
    assert world.names() == []


def bound(world: World) -> set[str]:
    """The bound claims of this world."""
    found, _ = world.api.objects(CLAIMS)
    names = {c["metadata"]["name"] for c in found if (c.get("status") or {}).get("phase") == "Bound"}
    return {name for name in names if name.startswith(f"claim-{world.number}-")}


def ours(world: World) -> list[str]:
    found, _ = world.api.objects(VOLUMES)
    by = "pv.kubernetes.io/provisioned-by"
    return [
        volume["metadata"]["name"]
        for volume in found
        if volume["metadata"]["annotations"].get(by) == world.provisioner
    ]
