"""What the adversary's tests share beside the rig of tests/lab/conftest.py."""

from __future__ import annotations

STRANGER = ("setpriv", "--reuid", "nobody", "--regid", "instorage-agent", "--clear-groups")
"""A user who may open the helper's socket by its mode (an administrator put him into the group)."""
