"""The whole table of steps: root code's and the agent's."""

from __future__ import annotations

from instorage.wire.growth import Step as GrowthStep
from instorage.wire.steps import Step as HelperStep
from nodeagent.operation.steps import Step as AgentStep

Step = HelperStep | GrowthStep | AgentStep
STEPS: tuple[Step, ...] = (*HelperStep, *GrowthStep, *AgentStep)
