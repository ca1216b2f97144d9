"""What the helper did for this process, in the words of the helper's own journal, for the agent's log file.

Root's records go to the journal and nowhere else: in a log directory the agent's user may make files, and
there root opens none. Every order and its outcome come by here, so the agent writes the same line. What the
helper says besides (whom it turned away, a defect's traceback, what it did for root) is in the journal alone.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import DataclassInstance

LOGGER = logging.getLogger("instorage-helper")
LOGGER.propagate = False  # the journal has these lines from the helper itself
LOGGER.addHandler(logging.NullHandler())  # else a program without log files shows the failures


@contextlib.contextmanager
def kept(verb: str, request: DataclassInstance) -> Iterator[None]:
    """Write the record of a verb that is asked for within: «REQUEST VERB UID TARGET: OUTCOME (N ms)»."""
    begun, outcome = time.monotonic(), "no answer was taken"
    try:
        yield
        outcome = "ok"
    except Fault as fault:
        outcome = f"{fault.code}: {fault}"
        raise
    finally:
        op, uid, target = (str(getattr(request, one, None) or "-") for one in ("op", "uid", "target"))
        level = logging.INFO if outcome == "ok" else logging.WARNING
        took = (time.monotonic() - begun) * 1000
        LOGGER.log(level, "%s: %s %s %s %s: %s (%.0f ms)", LOGGER.name, op, verb, uid, target, outcome, took)
