"""A call of the stub that finds a test's agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stub.conftest import Agent, Answer, Stub

UNIT = "journalctl -u instorage-nodeagent"


def call(stub: Stub, agent: Agent, *arguments: str, **more: str) -> Answer:
    return stub.run(
        *(arguments or ("mount", "/d", "{}")), env={"INSTORAGE_AGENT_SOCKET": str(agent.path), **more}
    )
