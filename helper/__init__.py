"""The root helper: the only privileged code on a node."""
