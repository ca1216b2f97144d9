"""What was tried in vain, how often in a row, and how long it rests until it is tried again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.wire.fault import Code
from nodeagent.operation import journal
from nodeagent.recovery.attempts import PASSING

if TYPE_CHECKING:
    from instorage.wire.fault import Fault
    from nodeagent.operation.trouble import Trouble

LONGEST_PAUSE = 600.0
LONGEST = {  # as kubelet's own longest
    **dict.fromkeys(PASSING, 120.0),
    Code.VOLUME_PROTECTED: 60.0,
    Code.HOST_OBJECT: 120.0,  # sessions of before a reset end within minutes
}
_LOG = logging.getLogger(__name__)


class Failures:
    """Those of reconciliation; `rest` is the first pause in seconds, and each further one twice as long."""

    def __init__(self, trouble: Trouble, rest: float) -> None:
        self._trouble = trouble
        self._rest = rest
        self._in_a_row: dict[str, tuple[int, Code]] = {}  # and the last one's code

    def over(self, what: str) -> None:
        """Forget them: it is in order."""
        self._in_a_row.pop(what, None)
        self._trouble.over(f"reconciliation of {what}")

    def last(self, what: str) -> Code | None:
        """Return what kept it the last time, None when nothing did."""
        return self._in_a_row.get(what, (0, None))[1]

    def again(self, what: str, sentence: str, fault: Fault) -> float:
        """Return the seconds until the next trial; said if it was not said lately."""
        pause = self.pause(what, fault)
        said = self._trouble.failed(f"reconciliation of {what}", fault, "")
        if said.anew:
            why, code = journal.brief(fault), journal.coded(fault)
            _LOG.warning("%s%s, again in %.0f s: %s", sentence, said.times, pause, why, extra=code)
        return pause

    def pause(self, what: str, fault: Fault) -> float:
        """Count one more and return the seconds until the next trial: one kill costs no minute."""
        failures = self._in_a_row.get(what, (0, fault.code))[0] + 1
        self._in_a_row[what] = failures, fault.code
        return min(self._rest * 2.0 ** min(failures - 1, 10), LONGEST.get(fault.code, LONGEST_PAUSE))
