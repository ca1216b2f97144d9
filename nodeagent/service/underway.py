"""What the agent does just now, and what fails there again and again: for root, over kubelet's socket.

The call is `underway` alone. Whoever may speak to that socket may mount volumes, so nothing is given away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.operation.answer import Answer, Status

if TYPE_CHECKING:
    from nodeagent.operation.trouble import Trouble
    from nodeagent.service.flight import Flights

CALL = "underway"
MOST = 50  # of each kind: an answer has 64 KiB


def answer(flights: Flights, trouble: Trouble) -> Answer:
    """Return the operations under way, the oldest first, and what failed last and has not succeeded since."""
    running = []
    for request, progress in flights.running()[:MOST]:
        phase, seconds = progress.current
        named = {"op": str(progress.op), "call": getattr(request, "call", ""), "phase": phase}
        name = str(getattr(request, "name", ""))
        running.append(named | {"volume": name, "seconds": f"{seconds:.1f}"})
    return Answer(Status.SUCCESS, fields={"underway": running, "trouble": trouble.lasting()[-MOST:]})
