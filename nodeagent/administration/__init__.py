"""Programs of the administrator, beside the agent's process: `instoragectl`, `ext-*`, helper defaults."""
