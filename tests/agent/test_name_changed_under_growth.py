"""Names that are exchanged on the array between the first look at a volume and the command that grows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Step
from tests.agent.bench import ACTIVE_ACTIVE, GIB, Bench
from tests.arrays.administrator import order

if TYPE_CHECKING:
    from tests.agent.expanding import Pair

pytestmark = pytest.mark.slow


def exchanged_at(bench: Bench, verb: str) -> None:
    """Exchange the names of vol1 and vol2 when the helper is asked for `verb` first."""
    left = [("vol1", "tmp"), ("vol2", "vol1"), ("tmp", "vol2")]

    def seen(asked: str) -> None:
        while asked == verb and left:
            old, new = left.pop(0)
            order(bench.simulator, f"chvdisk -name {new} {old}")

    bench.helper._seen = seen


def test_a_volume_that_got_the_name_meanwhile_does_not_grow(bench: Bench) -> None:
    uid, other = bench.create("vol1"), bench.create("vol2")
    bench.use("vol1")
    bench.reset()
    exchanged_at(bench, "Rescan")
    said = bench.expandfs("vol1", 2 * GIB).failure("its name was given to another volume")
    assert uid in said
    assert other in said
    assert (bench.size(uid), bench.size(other)) == (GIB, GIB)
    assert "expandvdisksize" not in bench.commands()


def test_an_active_active_volume_that_got_the_name_meanwhile_is_neither_untied_nor_grown(pair: Pair) -> None:
    bench = pair.bench
    other = bench.create("vol2", **ACTIVE_ACTIVE)
    exchanged_at(bench, "Lock")
    bench.helper.before[Step.UNTIE] = lambda: pytest.fail("it was to be untied")
    bench.reset()
    pair.expand().failure("its name was given to another volume")
    assert (bench.size(pair.uid), bench.size(other)) == (GIB, GIB)
    done = {name for name in bench.commands() if not name.startswith("ls")}
    assert done == set()
    assert not bench.helper.kept
