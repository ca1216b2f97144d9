"""The queue of work: one worker a key, patience after failures, a dead array holds one worker."""

from __future__ import annotations

import threading

import pytest

from provisioner.work_queue import GIVE_UP, LONG_LOOK, LONGEST_DELAY, Key, WorkQueue, delay_after

A, B, C = ("claim", "a"), ("claim", "b"), ("claim", "c")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(lambda key: key[0], 2, clock, lambda: 0.5)


def test_a_key_that_is_worked_on_is_given_to_nobody_else(queue: WorkQueue) -> None:
    queue.add(A)
    assert queue.take(0) == A
    queue.add(A)
    assert queue.take(0) is None
    queue.done(A)
    assert queue.take(0) == A  # it changed meanwhile


def test_a_key_added_twice_is_done_once(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add(A)
    assert queue.take(0) == A
    queue.done(A)
    assert queue.take(0) is None


def test_a_failed_key_comes_again_when_its_time_has_come(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A)
    assert queue.take(0) == A
    delay = queue.failed(A)
    assert queue.take(0) is None
    clock.now += delay
    assert queue.take(0) == A


def test_a_change_brings_a_failed_key_back_at_once_and_forgets_its_failures(queue: WorkQueue) -> None:
    queue.add(A)
    for _ in range(5):
        assert queue.take(0) == A
        last = queue.failed(A)
        queue.add(A)
    assert last == delay_after(1, 0.5)
    assert queue.take(0) == A
    queue.done(A)
    assert queue.take(0) is None


def test_patience_doubles_up_to_five_minutes_and_ends_after_fifteen_failures() -> None:
    delays = [delay_after(number, 0.5) for number in range(1, GIVE_UP + 1)]
    assert delays[:4] == [1, 2, 4, 8]
    assert max(delays[:-1]) == LONGEST_DELAY
    assert delays[-1] == LONG_LOOK


def test_patience_is_spread(queue: WorkQueue) -> None:
    assert delay_after(4, 0.0) < delay_after(4, 0.5) < delay_after(4, 1.0)


def test_an_array_in_trouble_gets_one_worker_and_others_all(clock: Clock) -> None:
    queue = WorkQueue(lambda key: key[0], 3, clock)
    dead = [("dead", str(number)) for number in range(5)]
    for key in dead:
        queue.add(key)
    for key in dead[:3]:
        assert queue.take(0) == key
    queue.trouble(dead[0], now=True)
    for key in dead[:3]:
        queue.failed(key)
    assert queue.take(0) == dead[3]
    queue.add(("alive", "1"))
    queue.add(("alive", "2"))
    taken = {queue.take(0), queue.take(0)}
    assert taken == {("alive", "1"), ("alive", "2")}
    assert queue.take(0) is None
    queue.trouble(dead[3], now=False)
    assert queue.take(0) == dead[4]


def test_a_closed_queue_wakes_who_waits() -> None:
    queue = WorkQueue(lambda key: key[0], 2)
    taken: list[Key | None] = []
    waiter = threading.Thread(target=lambda: taken.append(queue.take(30)))
    waiter.start()
    queue.close()
    waiter.join(5)
    assert taken == [None]


def test_each_of_many_keys_is_worked_on_by_one_of_many_workers() -> None:
    queue = WorkQueue(lambda key: key[0], 8)
    guard = threading.Lock()
    under_way: set[Key] = set()
    done: list[Key] = []

    def work() -> None:
        while (key := queue.take(0.5)) is not None:
            with guard:
                assert key not in under_way
                under_way.add(key)
            with guard:
                under_way.remove(key)
                done.append(key)
            queue.done(key)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    keys = [("claim", str(number)) for number in range(200)]
    for key in keys:
        queue.add(key)
    for worker in workers:
        worker.join(10)
    assert sorted(done) == sorted(keys)
