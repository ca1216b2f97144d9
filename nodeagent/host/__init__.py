"""This machine and its root helper as the agent sees them: places, names, portals, the helper's client."""
