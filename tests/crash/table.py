"""The whole table of steps: root code's and the agent's."""

from __future__ import annotations

from enum import StrEnum

from instorage.wire import growth as growth_steps
from instorage.wire import steps as helper_steps
from nodeagent.operation import steps as agent_steps

Step = StrEnum(
    "Step", {one.name: one.value for part in (helper_steps, growth_steps, agent_steps) for one in part.Step}
)
