"""A healthy node has no finding while pods come and go on it and the array takes its time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import NODE, device_target, options, pod_target
from tests.soak import NOT_SEEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ctl.node import Node

# every day without load: tests/ctl/test_two_sides.py
pytestmark = [NOT_SEEN, pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(600)]
RUNS = 20
PATIENCE = 120.0  # seconds for a call: the load is meant
HESITATION = 0.1  # seconds that the array takes more for each query


class Pods:
    """Pods, one after the other, each with a volume of its own that is taken away again."""

    def __init__(self, node: Node, *names: str) -> None:
        self._node, self._names = node, names
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._follow, args=(name,)) for name in names]
        self.ended = 0
        self.failed: list[str] = []

    def __enter__(self) -> Pods:
        for name in self._names:
            self._node.create(name)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)

    def _follow(self, name: str) -> None:
        try:
            while not self._over.is_set():
                for call in _life(name):
                    self._node.begin(*call).reply(PATIENCE).success()
                self.ended += 1
        except AssertionError as error:
            self.failed.append(str(error))


def test_twenty_runs_find_nothing_on_a_node_on_which_pods_come_and_go(node: Node) -> None:
    node.log_in()  # the bench's portals take 64 probes, and doctor's are among them
    node.in_use("vol1", "vol2")
    for command in ("lsvdisk", "lshostvdiskmap", "lsvdiskhostmap"):
        node.do("fault", command=command, times=0, delay=HESITATION)
    seen: list[object] = []
    with Pods(node, "comes", "goes") as pods:
        for _ in range(RUNS):
            before, said = pods.ended, node.doctor()
            found = [one for one in said["findings"] if one["severity"] != "ok"]
            seen += [one for one in found if one["check"] != "arrays"]  # of this process, and truly slow
            print(said["seconds"], "s,", pods.ended, "pods")
            while pods.ended == before and not pods.failed:  # each run has met a pod that came or went
                threading.Event().wait(0.05)
    assert (seen, pods.failed) == ([], [])
    assert pods.ended >= RUNS


def _life(name: str) -> Iterator[tuple[str, ...]]:
    """Yield what kubelet calls for a pod, from its beginning to its end."""
    text, device, directory = options(name), device_target(name), pod_target(name)
    yield "waitforattach", NODE, text
    yield "mountdevice", device, "/dev/ignored", text
    yield "mount", directory, text
    yield "unmount", directory
    yield "unmountdevice", device


def test_what_is_wrong_is_found_among_pods_that_come_and_go(node: Node) -> None:
    node.log_in()
    uid = node.in_use("vol1", "vol2")["vol1"]
    (node.directory / "state/volumes" / uid).unlink()
    with Pods(node, "comes") as pods:
        found = [node.found() for _ in range(3)]
    assert pods.failed == []
    assert [[one["code"] for one in each] for each in found] == [["mapped-unrecorded"]] * 3
