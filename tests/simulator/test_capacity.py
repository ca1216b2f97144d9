"""What volumes take from pools adds up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.language.codes import ArrayError
from simulator.model.capacity import SECTOR, UNITS, allocated, free, real_size, shown, size_in_bytes
from simulator.model.state import Copy, Pool, State, Vdisk

GIB = UNITS["gb"]
EXTENT = 256 * UNITS["mb"]
SIZES = st.integers(1, 4096).map(lambda n: n * 512 * 1024)
COPIES = st.builds(
    lambda size, percent, grows: (size, percent, grows), SIZES, st.none() | st.integers(0, 100), st.booleans()
)


def _vdisk(number: int, size: int, percent: int | None, grows: bool) -> Vdisk:
    copy = (
        Copy(0, 0) if percent is None else Copy(0, 0, real_size(f"{percent}%", None, size), autoexpand=grows)
    )
    return Vdisk(number, f"v{number}", size, 0, f"U{number}", (copy,), number)


@given(st.lists(COPIES, max_size=12), st.data())
def test_free_and_taken_make_the_whole_pool(
    wanted: list[tuple[int, int | None, bool]], data: st.DataObject
) -> None:
    pool = Pool(0, "P", 1024 * EXTENT, EXTENT, 1)
    vdisks = {n: _vdisk(n, *fields) for n, fields in enumerate(wanted)}
    usage = {v.uid: data.draw(st.integers(0, v.size)) for v in vdisks.values()}
    taken = sum(allocated(v, v.copies[0], EXTENT, usage) for v in vdisks.values())
    assert free(State({0: pool}, vdisks), pool, usage) == pool.capacity - taken
    assert taken % EXTENT == 0
    for v in vdisks.values():
        copy = v.copies[0]
        took = allocated(v, copy, EXTENT, usage)
        assert took <= math.ceil(v.size / EXTENT) * EXTENT
        assert took == math.ceil(v.size / EXTENT) * EXTENT or copy.thin
        assert not (copy.thin and copy.autoexpand) or took >= usage[v.uid]


@given(st.integers(1, 1 << 20), st.sampled_from(sorted(UNITS)))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    size = number * UNITS[unit]
    if size % SECTOR:
        with pytest.raises(ArrayError, match="CMMVC5711E"):
            size_in_bytes(str(number), unit)
    else:
        assert size_in_bytes(str(number), unit) == size


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "ten", "1e3", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ArrayError, match="CMMVC5711E"):
        size_in_bytes(text, "gb")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.00MB"), (GIB, "1.00GB"), (50 * GIB, "50.00GB"), (3133 * GIB, "3.06TB"), (512, "0.00MB")],
)
def test_sizes_for_people_have_two_decimals(size: int, text: str) -> None:
    assert shown(size, exact=False) == text
    assert shown(size, exact=True) == str(size)
