"""The agent's bench, for tests that kill it."""

from tests.agent.conftest import directory, portal

__all__ = ["directory", "portal"]
