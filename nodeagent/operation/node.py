"""What all operations of this process share, and what belongs to one operation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.host.helper_client import Helper

if TYPE_CHECKING:
    from instorage.arrays.pool import ArrayPool
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration, HostSettings
    from instorage.tenancy.adopted import AdoptedFile
    from instorage.wire.values import RequestId
    from nodeagent.host.paths import Paths
    from nodeagent.host.portals import Portals
    from nodeagent.operation.attached import Attachments
    from nodeagent.operation.expansions import Expansions
    from nodeagent.operation.expected import Expected
    from nodeagent.operation.progress import Progress
    from nodeagent.operation.records import Records
    from nodeagent.operation.settings import Settings
    from nodeagent.operation.trouble import Trouble
    from nodeagent.operation.volume_locks import VolumeLocks


@dataclass(frozen=True)
class Node:
    """The agent's parts. `boot_id` is the kernel's."""

    paths: Paths
    settings: Settings
    adopted: AdoptedFile
    arrays: ArrayPool
    records: Records
    portals: Portals
    attachments: Attachments
    locks: VolumeLocks
    expansions: Expansions
    expected: Expected
    trouble: Trouble
    boot_id: str


@dataclass(frozen=True)
class Operation:
    """One request under way; `deadline` (monotonic seconds) bounds its waiting for others."""

    node: Node
    progress: Progress
    configuration: Configuration
    deadline: float

    @property
    def op(self) -> RequestId:
        """The request id."""
        return self.progress.op

    @property
    def left(self) -> float:
        """Seconds until the deadline, at least 1."""
        return max(self.deadline - time.monotonic(), 1.0)

    @property
    def host(self) -> HostSettings:
        """Section `host` of the configuration, which the agent always asks for."""
        if self.configuration.host is None:
            raise Fault(Code.BAD_CONFIGURATION, f"{self.configuration.path} has no group host.")
        return self.configuration.host

    def helper(self) -> Helper:
        """Return a connection to the helper for this operation; it is opened at the first call."""
        return Helper(self.node.paths.helper_socket, self.op)

    def array(self, name: str | None) -> Array:
        """Return the array of that name in the configuration; None: the first."""
        return self.node.arrays.get(self.configuration, name)
