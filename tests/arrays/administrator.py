"""The administrator of a simulated array, who does what she likes behind our back."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from simulator.execution.commands import recognise

if TYPE_CHECKING:
    from simulator.array import Simulator


def order(simulator: Simulator, *lines: str) -> None:
    """Give the array commands (without a prefix); fails with the array's refusal."""
    for line in lines:
        command = recognise(tuple(shlex.split(line)))
        assert command is not None, line
        simulator.engine.run(command)
