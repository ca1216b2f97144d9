"""A hundred volumes are compared within five seconds: few commands, all looks at the same time."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import device_target

if TYPE_CHECKING:
    from tests.ctl.node import Node

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.measured, pytest.mark.timeout(600)]
MOST_SECONDS = 5.0
MOST_COMMANDS = 15


def test_a_hundred_volumes_take_less_than_five_seconds(node: Node) -> None:
    node.log_in()
    names = [f"vol{number}" for number in range(100)]
    for name in names:
        node.create(name)
        node.attach(name).success()
        node.mount_device(name).success()
    node.age()
    node.reset()
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    assert node.found() == []
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(node.commands()) <= MOST_COMMANDS
    assert after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime < MOST_SECONDS / 2
    assert took < MOST_SECONDS
    del node.helper.mounts[device_target("vol42")]
    node.helper.trouble.update(
        dict.fromkeys(node.helper.devices, "its file system was shutdown after errors")
    )
    began = time.monotonic()
    assert len(node.found()) == 99
    assert time.monotonic() - began < MOST_SECONDS
