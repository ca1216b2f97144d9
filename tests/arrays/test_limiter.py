"""New connections come slowly, refused passwords slower still."""

import itertools

import pytest

from instorage.arrays.as18000.session.limiter import ConnectionLimiter, Crowd, Lockout
from instorage.arrays.endpoint import Limits
from instorage.wire.fault import Code, Fault


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("failures", [0, 1, 5])
def test_fewer_than_three_connections_come_in_any_second(jitter: float, failures: int) -> None:
    clock = Clock()
    limiter = ConnectionLimiter(Limits().spacing, clock, lambda: jitter)
    starts = []
    for _ in range(20):
        clock.sleep(limiter.due(failures))
        starts.append(clock.now)
    assert all(third - first > 1.0 for first, third in zip(starts, starts[2:], strict=False))


def test_the_first_connection_does_not_wait() -> None:
    assert ConnectionLimiter(Limits().spacing, Clock()).due() == 0.0


def test_machines_that_lost_their_connection_together_come_back_at_different_times() -> None:
    def back_after(jitter: float) -> float:
        return ConnectionLimiter(Limits().spacing, Clock(), lambda: jitter).due(failures=1)

    assert len({back_after(jitter) for jitter in (0.0, 0.3, 0.6, 0.9)}) == 4


@pytest.mark.parametrize("jitter", [0.0, 0.999])
def test_a_full_array_is_asked_at_growing_pauses_that_stay_short_for_who_waits_longest(jitter: float) -> None:
    crowd = Crowd(lambda: jitter)
    pauses = [crowd.pause() for _ in range(12)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.25
    assert pauses[-1] == pauses[-2] <= 4.0


def test_a_refused_password_is_not_sent_again_soon_and_each_pause_is_longer() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    pauses = []
    for _ in range(8):
        lockout.check("wrong")
        lockout.refused("wrong", Fault(Code.ARRAY_AUTHENTICATION, "refused"))
        began = clock.now
        for _ in itertools.count():
            try:
                lockout.check("wrong")
                break
            except Fault:
                clock.sleep(1.0)
        pauses.append(clock.now - began)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_a_mended_password_is_tried_at_once() -> None:
    lockout = Lockout(Clock())
    lockout.refused("wrong", Fault(Code.ARRAY_AUTHENTICATION, "refused"))
    lockout.check("right")
    with pytest.raises(Fault):
        lockout.check("wrong")
