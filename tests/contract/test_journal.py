"""The agent's log file has of each verb the line that the true helper gives to the journal."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Fault
from instorage.wire.values import RequestId, VolumeUid
from nodeagent.host import helper_record
from nodeagent.host.helper_client import Helper
from tests.contract.true_world import TrueWorld
from tests.contract.world import UID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]


class Kept(logging.Handler):
    """Keeps what the agent would write."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage().removeprefix("instorage-helper: "))


@pytest.fixture
def kept() -> Iterator[list[str]]:
    handler = Kept()
    logger, before = helper_record.LOGGER, helper_record.LOGGER.level
    logger.setLevel(logging.INFO)  # which forgets, too, what it has answered others
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_the_agents_line_of_a_verb_is_the_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Callable[..., int], kept: list[str]
) -> None:
    world = TrueWorld(tmp_path, monkeypatch, start, tmp_path / "helper.sock")
    with Helper(str(tmp_path / "helper.sock"), RequestId("test1")) as helper:
        helper.lock(5)
        helper.inspect(VolumeUid.parse(UID))
        helper.inspect_all()
        with pytest.raises(Fault):
            helper.unmount("/etc")
        helper.unlock()
    world.close()
    assert [re.sub(r"\d+ ms", "", line) for line in kept] == [
        re.sub(r"\d+ ms", "", line) for line in world.journal
    ]
    assert [line.split()[1] for line in kept] == ["Lock", "Inspect", "Inspect", "Unmount", "Unlock"]
