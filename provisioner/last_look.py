"""The last look at Kubernetes before a volume is deleted, when nothing is waited for any more.

Between a decision and its command an array may take a minute: its sessions are full, its nodes change over,
an answer is lost and the command is given again. Within that minute somebody saves his data: sets the policy
to Retain, or binds the PV to a new claim; the API server takes it, and all looks saved.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

SOON = 5.0  # seconds for which it is believed who wants a volume: to ask is dear (`census.py`)


class LastLook:
    """Called before each command that deletes one volume (`operation.only_while`); a fault keeps it here.

    `changed` asks the API server what speaks against it by now, "" for nothing. `refuse` raises the fault of
    who wants the volume; whoever makes this asks it himself directly afterwards, and here it is asked again
    when that was long ago.
    """

    def __init__(self, name: str, changed: Callable[[], str], refuse: Callable[[], None]) -> None:
        self._name = name
        self._changed = changed
        self._refuse = refuse
        self._asked = time.monotonic()
        self._sent = False

    def __call__(self) -> None:
        """Raise a `Fault` unless the command may leave. `Away`, `Refusal`: that is not known."""
        if self._sent or time.monotonic() - self._asked > SOON:
            self._ask_anew()
        why = self._changed()
        if why:
            raise self._kept(why)
        self._sent = True

    def _ask_anew(self) -> None:
        asked = time.monotonic()
        try:
            self._refuse()
        except Fault as fault:
            raise (self._kept(fault.sentence.rstrip(".")) if self._sent else fault) from fault
        self._asked = asked

    def _kept(self, why: str) -> Fault:
        if self._sent:
            sentence = (
                f"Volume {self._name} may have been deleted on the array, whose answer was lost; it is not "
                f"told again: {why}. It is looked at again."
            )
            return Fault(Code.OUTCOME_UNKNOWN, sentence, volume=self._name)
        sentence = f"Volume {self._name} is not deleted: {why}; it is looked at again."
        return Fault(Code.NOT_OURS, sentence, volume=self._name)
