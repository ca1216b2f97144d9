"""What the queue of work costs with ten thousand keys in it: the same as with ten."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from provisioner.work_queue import Key, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS, WORKERS, WIDTH, WORK = 10_000, 24, 18, 0.05  # WORK: seconds
SECONDS = 8.0


class Crew:
    """Workers as the provisioner's, each of them at a key for a while."""

    def __init__(self, queue: WorkQueue, work: Callable[[Key], bool]) -> None:
        self.done = 0
        self._queue = queue
        self._work = work
        self._guard = threading.Lock()
        self._workers = [threading.Thread(target=self._run) for _ in range(WORKERS)]

    def run(self, seconds: float) -> float:
        """Work for some seconds; return the CPU time of this process meanwhile."""
        for worker in self._workers:
            worker.start()
        before = time.process_time()
        time.sleep(seconds)  # what is measured
        used = time.process_time() - before
        self._queue.close()
        for worker in self._workers:
            worker.join(10)
        return used

    def _run(self) -> None:
        while not self._queue.closed:
            key = self._queue.take(20)
            if key is None:
                continue
            well = self._work(key)
            self._queue.trouble(key, now=not well)
            if well:
                self._queue.done(key)
            else:
                self._queue.failed(key)
            with self._guard:
                self.done += 1


def filled(group: str) -> WorkQueue:
    """A queue with all keys in one group, which is as costly to tell as among forty classes."""
    classes = {str(number): {"metadata": {"name": str(number)}} for number in range(40)}

    def array_of(key: Key) -> str:
        found = next(one for one in list(classes.values()) if one["metadata"]["name"] == "39")
        return key[0] if found else ""

    queue = WorkQueue(array_of, WIDTH)
    for number in range(KEYS):
        queue.add((group, str(number)))
    return queue


@pytest.mark.measured
@pytest.mark.slow
def test_ten_thousand_keys_are_worked_on_at_the_rate_of_the_work_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(_key: Key) -> bool:
        time.sleep(WORK)  # an array at work
        return True

    crew = Crew(filled("one"), work)
    used = crew.run(SECONDS)
    ideal = WIDTH * SECONDS / WORK
    with capsys.disabled():
        print(f"\n{crew.done} of {ideal:.0f} done in {SECONDS:.0f} s, {used:.2f} s of CPU")
    assert crew.done >= 0.8 * ideal


@pytest.mark.measured
@pytest.mark.slow
def test_a_dead_array_with_ten_thousand_waiting_keys_costs_next_to_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(_key: Key) -> bool:
        time.sleep(0.5)  # until a connection has failed
        return False

    used = Crew(filled("dead"), work).run(SECONDS)
    with capsys.disabled():
        print(f"\na dead array: {used:.2f} s of CPU in {SECONDS:.0f} s")
    assert used < 0.1 * SECONDS


def cost(keys: int) -> float:
    """Seconds of CPU that one hundred keys cost, with so many others before them at an array that is full."""
    queue = WorkQueue(lambda key: key[0], 1)
    for number in range(keys):
        queue.add(("full", str(number)))
    assert queue.take(0) is not None
    before = time.thread_time()
    for number in range(100):
        queue.add(("free", str(number)))
        key = queue.take(0)
        assert key == ("free", str(number))
        queue.done(key)
    return time.thread_time() - before


@pytest.mark.slow
def test_a_key_costs_the_same_behind_a_hundred_others_and_behind_twenty_thousand() -> None:
    few, many = (min(cost(keys) for _ in range(5)) for keys in (100, 20_000))
    assert many < 20 * few, "it took 200 times as long when each key was looked at"


def test_arrays_take_turns_when_one_has_a_long_line() -> None:
    queue = WorkQueue(lambda key: key[0], 3)
    for number in range(100):
        queue.add(("long", str(number)))
    queue.add(("short", "0"))
    assert ("short", "0") in {queue.take(0), queue.take(0)}


def test_a_key_whose_array_changed_while_it_waited_counts_for_the_new_one() -> None:
    where = {"a": "one", "b": "one", "c": "two"}
    queue = WorkQueue(lambda key: where[key[1]], 1)
    for name in where:
        queue.add(("claim", name))
    assert queue.take(0) == ("claim", "a")
    where["b"] = "two"
    queue.add(("claim", "b"))  # as its class changed
    assert queue.take(0) == ("claim", "c")
    assert queue.take(0) is None, "b is one of the second array's now, which has its worker"
    queue.done(("claim", "c"))
    assert queue.take(0) == ("claim", "b")


def test_a_key_whose_array_cannot_be_told_keeps_nobody_from_the_others() -> None:
    def group(key: Key) -> str:
        if key[1] == "strange":
            raise KeyError("spec")
        return "one"

    queue = WorkQueue(group, 1)
    queue.add(("claim", "strange"))
    queue.add(("claim", "plain"))
    assert {queue.take(0), queue.take(0)} == {("claim", "strange"), ("claim", "plain")}


def test_a_key_that_is_wanted_later_is_not_given_to_two_workers() -> None:
    now = [0.0]
    queue = WorkQueue(lambda key: "one", 5, lambda: now[0])
    key = ("volume", "a")
    queue.add(key)
    assert queue.take(0) == key
    queue.later(key, 10)
    now[0] = 11
    assert queue.take(0) is None
    queue.done(key)
    assert queue.take(0) == key
