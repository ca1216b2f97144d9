"""LUN numbers rest before they are used again."""

from instorage.arrays.as18000.resting import RestingLuns
from instorage.arrays.model import Mapping
from instorage.arrays.quarantine import REST, Quarantine
from instorage.wire.values import Lun


def test_a_number_rests_for_its_time_and_then_the_array_chooses_again() -> None:
    now = [0.0]
    luns = RestingLuns(Quarantine(clock=lambda: now[0]))
    luns.seen((Mapping("v1", "h", "0", (("0", Lun(0)),)), Mapping("v2", "h", "0", (("0", Lun(1)),))))
    assert luns.choose("h") is None
    luns.freed("v1", "h")
    assert luns.choose("h") == 2
    assert luns.choose("h") == 3, "two threads do not choose the same number"
    assert luns.choose("other") is None
    now[0] = REST + 1
    assert luns.choose("h") is None


def test_a_mapping_that_was_never_seen_leaves_nothing_to_rest() -> None:
    luns = RestingLuns()
    luns.freed("v1", "h")
    assert luns.choose("h") is None


def test_many_mapped_at_once_on_a_slow_array_get_numbers_of_their_own() -> None:
    """A number that is being mapped is not chosen again while its command may still be under way."""
    now = [0.0]
    luns = RestingLuns(Quarantine(clock=lambda: now[0]))
    chosen = []
    for _ in range(20):
        chosen.append(luns.choose("h", avoid={0}))
        now[0] += 2
    assert chosen == list(range(1, 21))
