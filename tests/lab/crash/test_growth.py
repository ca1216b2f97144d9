"""kill -9 at every step of growth in root code: repeated it ends whole, nothing stays frozen or is lost.

`make test` kills at each step once, worker and helper in turn; `make soak` both at every step. The agent's
steps of growth are killed natively (tests/crash).
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.crash.table import GrowthStep, Step
from tests.lab.crash import build
from tests.lab.growing import LARGE, finish, freezing, put_programs, recorded, sizes, takes_writes, wait
from tests.lab.helper_rig import GIB, HelperFault, Rig, Volume
from tests.lab.link import over
from tests.soak import WHOLE, in_turn
from tools.install import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.lab,
    in_turn(1, 2),
    over("iscsi"),
    pytest.mark.timeout(1800 if WHOLE else 600),
]
VICTIMS = ("worker", "helper")
GROWTH = (
    GrowthStep.HELPER_GROWTH_RESCANNED,
    GrowthStep.HELPER_GROWTH_MAP_RESIZED,
    GrowthStep.HELPER_GROWTH_FILE_SYSTEM_GROWN,
)
FREEZE = (
    GrowthStep.HELPER_FREEZE_RECORDED,
    GrowthStep.HELPER_FREEZE_FROZEN,
    GrowthStep.HELPER_FREEZE_THAWED,
    GrowthStep.HELPER_FREEZE_FORGOTTEN,
)
KEEP = (GrowthStep.HELPER_BARRIER_RECORDED, GrowthStep.HELPER_BARRIER_SHOWN)
ERASE = (GrowthStep.HELPER_BARRIER_TAKEN_DOWN, GrowthStep.HELPER_BARRIER_ERASED)
HIT = 30  # seconds
PATIENCE = 90  # seconds for a repeated call to succeed
FILE = f"/{PLUGIN}/aa-extend-failure.barrier"


def kills(*steps: Step) -> list[tuple[Step, str]]:
    """Each step once, the victims in turn; in a soak with each of them."""
    if WHOLE:
        return [(step, victim) for step in steps for victim in VICTIMS]
    return [(step, VICTIMS[number % 2]) for number, step in enumerate(steps)]


@pytest.fixture(scope="module")
def armed(installed: Rig) -> Rig:
    """The build that can be stopped in the place of the product."""
    installed.node.put_tree("/", build.tree())
    build.watch(installed.node)
    put_programs(installed)
    installed.sh("systemctl stop instorage-helper.service")
    return installed


@pytest.fixture
def mounted(armed: Rig, volume: Volume) -> Iterator[Volume]:
    armed.attach(volume)
    armed.mount(volume)
    armed.sh(f"echo kept > {volume.device_mount}/row")
    yield volume
    build.disarm(armed.node)
    armed.sh(f"fsfreeze -u {volume.device_mount}", check=False)
    armed.unmount(volume.device_mount)
    armed.detach(volume)


def killed(rig: Rig, step: Step, victim: str, call: Callable[[], object]) -> None:
    """Make calls in which somebody is killed."""
    build.arm(rig.node, step, victim)
    with contextlib.suppress(HelperFault):
        call()
    assert build.hit(rig.node, HIT), f"it never came to {step}"
    print(f"{victim} killed at {step}")


def repeated(call: Callable[[], Any]) -> Any:
    """Repeat a call until it succeeds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except HelperFault as fault:
            print(fault)
            if time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def test_growth_that_was_broken_off_is_ended_by_the_next_call(armed: Rig, mounted: Volume) -> None:
    size = LARGE
    for step, victim in kills(*GROWTH):
        armed.plane.resize(mounted.uid, size)

        def grow(size: int = size) -> None:
            finish(armed, mounted, size)

        killed(armed, step, victim, grow)
        repeated(grow)
        assert sizes(armed, mounted) == {size}
        size += GIB
    assert armed.sh(f"cat {mounted.device_mount}/row") == "kept"


def test_nothing_stays_frozen(armed: Rig, mounted: Volume) -> None:
    for step, victim in kills(*FREEZE):
        build.arm(armed.node, step, victim)
        with freezing(armed, mounted, "Thaw"):
            assert build.hit(armed.node, HIT), f"nobody came to {step}"
            begun = time.monotonic()
            assert takes_writes(armed, mounted, 40), f"frozen after {victim} was killed at {step}"
            wait(lambda: not recorded(armed, mounted), f"the record stays ({victim} at {step})", 40)
            print(f"{victim} killed at {step}: nothing left after {time.monotonic() - begun:.1f} s")
        with freezing(armed, mounted, "Freeze", "Thaw") as again:
            assert [one.get("intact") for one in again.answers(3)] == [True, True, True]


def test_a_barrier_is_kept_or_erased_by_the_next_call(armed: Rig) -> None:
    uid, record = "6" + "0" * 31, json.dumps({"step": 1})
    for number, (step, victim) in enumerate(kills(*KEEP)):
        text = f"Volume {uid} is not whole ({number}).\n"

        def keep(text: str = text) -> list[str]:
            kept: list[str] = armed.call("Barrier", uid=uid, record=record, text=text)["records"]
            return kept

        killed(armed, step, victim, keep)
        assert repeated(lambda: armed.call("Barrier"))["records"] == [record], f"lost at {step}"
        assert repeated(keep) == [record]
        assert armed.sh(f"cat {FILE}") == text.strip()
    for step, victim in kills(*ERASE):
        armed.call("Barrier", uid=uid, record=record, text=f"Volume {uid} is not whole.\n")

        def erase() -> object:
            return armed.call("Barrier", uid=uid, erase=True)

        killed(armed, step, victim, erase)
        repeated(erase)
        assert repeated(lambda: armed.call("Barrier"))["records"] == []
        assert armed.node.run(f"test -e {FILE}", check=False).exit_status != 0
