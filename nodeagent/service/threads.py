"""The threads of the process: none ends unsaid, and those that it cannot do without end it with them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

_LOG = logging.getLogger(__name__)


def say_end(ended: threading.ExceptHookArgs) -> None:
    """Say that a thread ended by a defect (`threading.excepthook`); who waits for it has a deadline."""
    if ended.exc_value is None or issubclass(ended.exc_type, SystemExit):
        return
    name = ended.thread.name if ended.thread else "unknown"
    error = (ended.exc_type, ended.exc_value, ended.exc_traceback)
    _LOG.critical("Thread %s ended by a defect of the agent", name, exc_info=error)


def whole(vital: Iterable[threading.Thread]) -> bool:
    """Say whether all of these threads live; one that does not is named."""
    dead = [thread.name for thread in vital if not thread.is_alive()]
    for name in dead:
        _LOG.critical("Thread %s has ended: the agent ends, to be started anew", name)
    return not dead
