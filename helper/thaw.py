"""Thaw what a helper that has ended left frozen: systemd's `ExecStopPost=` of the helper.

Each time the idle helper leaves this runs too, so nothing else is imported unless a record is there.
"""

import os

RECORDS = "/run/instorage/frozen"
"""Holds a file for each frozen file system, named by the volume's UID."""


def main() -> int:
    """Thaw what the records name; the next start of the helper tries again what could not be thawed."""
    if os.path.isdir(RECORDS) and os.listdir(RECORDS):
        from helper import freeze, settings

        freeze.thaw_recorded(settings.loaded())
    return 0
