"""What an agent's record says of a growth that was sent, for tests of what comes after it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.agent.bench import Bench


def sent_long_ago(bench: Bench, uid: str) -> None:
    """Let the time pass in which the array may still carry it out; to be called while no agent runs."""
    path = bench.paths.state / "volumes" / uid
    found = json.loads(path.read_text())
    found["growth"]["sent"] = 0
    path.write_text(json.dumps(found))
