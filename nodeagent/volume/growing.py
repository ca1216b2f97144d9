"""The growth of a volume that may be under way, in the volume's record: the next agent sees it, too."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from instorage.arrays.growth import Growth
    from instorage.wire.values import VolumeUid
    from nodeagent.operation.records import Record, Records


class RecordedGrowth:
    """The `GrowthLog` of a volume of ours."""

    def __init__(self, records: Records, record: Record) -> None:
        self._records, self._record = records, record

    @property
    def uid(self) -> VolumeUid:
        """See `GrowthLog`."""
        return self._record.uid

    def last(self) -> Growth | None:
        """See `GrowthLog`."""
        return self._now().growth

    def keep(self, growth: Growth | None) -> None:
        """See `GrowthLog`; `Fault(INTERNAL)` when the disk is full: nothing is to be sent then."""
        self._records.put(dataclasses.replace(self._now(), growth=growth))
        reached(Step.AGENT_EXPAND_NOTED)

    def _now(self) -> Record:
        return self._records.get(self._record.uid) or self._record
