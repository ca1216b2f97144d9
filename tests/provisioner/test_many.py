"""Many claims at once: array commands overlap on one connection, and each claim has its one volume."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from provisioner.cluster import VOLUMES
from tests.figures import note
from tests.provisioner.program import until
from tests.provisioner.world import CLAIMS

if TYPE_CHECKING:
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
CLAIM_COUNT = 100
LATENCY = 0.1  # seconds a command


@pytest.mark.measured
def test_a_hundred_claims_take_a_quarter_of_the_serial_time(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.array(pools="Pool0:1TiB")
    world.start().says("This provisioner works")
    class_name = world.storage_class()
    world.bound(world.claim(class_name))  # connected
    world.do("reset-counters")
    world.do("fault", command="*", times=0, delay=LATENCY)
    start = time.monotonic()
    names = {world.claim(class_name) for _ in range(CLAIM_COUNT)}
    until(lambda: names <= bound(world), 55, "all claims are bound")
    took = time.monotonic() - start
    counters = world.do("counters")
    serial = counters["total"] * LATENCY
    with capsys.disabled():
        print(f"\n{CLAIM_COUNT} claims: {took:.1f} s; {counters['total']} commands, serially {serial:.1f} s")
    note(
        "claims",
        "100 claims until bound, over their commands one by one",
        took / serial,
        "times",
        0.25,
    )
    note("claims", "array commands a claim", counters["total"] / CLAIM_COUNT, "commands")
    note("claims", "new SSH connections for 100 claims", counters["connections"]["opened"], "connections", 0)
    assert counters["connections"]["opened"] == 0
    assert counters["channels"]["peak"] <= 8
    assert counters["commands"]["mkvdisk"] == CLAIM_COUNT
    assert len(set(world.names())) == len(world.names()) == CLAIM_COUNT + 1
    assert took <= serial / 4

    world.do("clear")
    for name in names:
        world.delete_claim(name)
    until(lambda: len(ours(world)) == 1, 40, "the PVs are gone")
    assert len(world.names()) == 1


def bound(world: World) -> set[str]:
    found, _ = world.api.objects(CLAIMS)
    return {c["metadata"]["name"] for c in found if (c.get("status") or {}).get("phase") == "Bound"}


def ours(world: World) -> list[str]:
    found, _ = world.api.objects(VOLUMES)
    note = "pv.kubernetes.io/provisioned-by"
    return [
        volume["metadata"]["name"]
        for volume in found
        if volume["metadata"]["annotations"].get(note) == world.provisioner
    ]
