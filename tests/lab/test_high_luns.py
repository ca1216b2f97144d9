"""Many volumes on one node, on LUN numbers beyond 255: each is found, and costs what it costs beside few.

As many as an emulated machine bears; 300 with four paths each are counted natively, in what the kernel is
asked (tests/helper/test_many_volumes.py).
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.helper_rig import Rig, Volume
from tests.lab.link import over
from tests.soak import IN_SOAK, WHOLE, write_figures

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW, MANY = 4, 100 if WHOLE else 16
FIRST = 250  # LUN number: the sixth volume has 255, those after it more
SAMPLES = 3
FLAT = 1.5  # beside many, of beside few; emulated machines are no better clocks
SIZE = 64 << 20
pytestmark = [
    pytest.mark.lab,
    IN_SOAK,
    over("iscsi"),
    pytest.mark.timeout(3600 if WHOLE else 1200),
]


@pytest.fixture(scope="module")
def volumes(installed: Rig) -> Iterator[list[Volume]]:
    made = [Volume(f"600507600089002{n:017x}", FIRST + n, SIZE) for n in range(MANY + 1)]
    for one in made:
        installed.map(one)
    yield made
    for one in made:
        installed.clear(one)
    installed.assert_clean()


def attached(rig: Rig, volume: Volume) -> None:
    reply = rig.attach(volume)
    assert (len(reply["found"]), reply["multipath"]) == (rig.path_count, True), reply
    print(f"LUN {volume.lun} attached in {rig.milliseconds[-1][1]} ms", flush=True)


def cost(rig: Rig, volume: Volume) -> float:
    """Milliseconds of an attach, the middle one of some."""
    taken = []
    for _ in range(SAMPLES):
        attached(rig, volume)
        taken.append(rig.milliseconds[-1][1])
        rig.detach(volume)
    return median(taken)


def looked(rig: Rig, count: int) -> float:
    """Milliseconds of a look at all volumes, for each; every one has all its paths."""
    taken = []
    for _ in range(SAMPLES):
        (replies,) = rig.calls(("Inspect", {}))
        assert isinstance(replies, list), replies
        shown: list[dict[str, Any]] = replies
        assert [len(one["paths"]) for one in shown] == [rig.path_count] * count
        taken.append(rig.milliseconds[-1][1] / count)
    return median(taken)


def test_a_volume_beside_many_costs_what_it_costs_beside_few(installed: Rig, volumes: list[Volume]) -> None:
    spare, rest = volumes[-1], volumes[:-1]
    for one in rest[:FEW]:
        attached(installed, one)
    few = cost(installed, spare), looked(installed, FEW)
    for one in rest[FEW:]:
        attached(installed, one)
    many = cost(installed, spare), looked(installed, MANY)
    said = f"attach {few[0]:.0f} ms beside {FEW}, {many[0]:.0f} beside {MANY}; "
    said += f"inspect {few[1]:.1f} ms a volume of {FEW}, {many[1]:.1f} of {MANY}"
    print(said)
    if WHOLE:
        write_figures(f"{MANY} volumes over {installed.link}, LUN numbers to {FIRST + MANY}", said)
    assert many[0] <= few[0] * FLAT
    assert many[1] <= few[1] * FLAT
