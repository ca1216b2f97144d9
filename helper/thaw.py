"""Thaw what a helper that has ended left frozen: systemd's `ExecStopPost=` of the helper.

Each time the idle helper leaves this runs too, so nothing else is imported unless a record is there.
"""

import os
import time

from helper import frozen

_AGAIN = 1  # second: after a failure systemd starts the helper at once anew, for the caller's call waits


def main() -> int:
    """Thaw what the records name; the next start of the helper tries again what could not be thawed."""
    if os.path.isdir(frozen.RECORDS) and os.listdir(frozen.RECORDS):
        from helper import freeze, settings

        freeze.thaw_left(settings.loaded())
    if os.environ.get("SERVICE_RESULT", "success") != "success":
        time.sleep(_AGAIN)
    return 0
