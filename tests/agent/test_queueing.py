"""What a map does without a path is known from multipathd, and a map of ours never waits for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodeagent.volume import queueing
from tests.agent.bench import device_target, options, pod_target

if TYPE_CHECKING:
    from tests.agent.bench import Bench


@pytest.mark.parametrize(
    "words", ["on 0", "on 1 queue_if_no_path", "- 1 queue_if_no_path"], ids=["on", "on-both", "feature"]
)
def test_a_map_that_would_wait_for_ever_is_refused_and_taken_back(bench: Bench, words: str) -> None:
    bench.create("vol1")
    bench.helper.queueing = words
    message = bench.attach("vol1").failure("would wait for ever once no path is left")
    assert "no_path_retry 60" in message
    assert bench.maps("vol1") == []
    assert bench.records() == {}
    assert bench.helper.devices == {}


@pytest.mark.parametrize("words", ["60 chk 0", "55 sec 1 queue_if_no_path", "off 0", "- 0", ""])
def test_every_other_map_is_used(bench: Bench, words: str) -> None:
    bench.create("vol1")
    bench.helper.queueing = words
    bench.attach("vol1").success()


def test_of_a_volume_in_use_it_is_only_said(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.call("mount", pod_target("vol1"), options("vol1")).success()
    bench.helper.queueing = "on 0"
    assert "would wait for ever" in bench.attach("vol1").success().message
    assert device_target("vol1") in bench.helper.mounts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("60 chk 0", "for 60 checks of multipathd, then it gets I/O errors"),
        ("55 sec 0", "for 55 s more, then it gets I/O errors"),
        ("off 0", "gets I/O errors now"),
        ("- 0", "gets I/O errors now"),
        ("on 0", "without end"),
        ("- 1 queue_if_no_path", "without end"),
        ("", "multipathd show maps"),
    ],
)
def test_it_is_said_in_words(words: str, said: str) -> None:
    assert said in queueing.sentence(words)
