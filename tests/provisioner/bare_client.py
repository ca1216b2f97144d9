"""What a request costs here at the least: python -m tests.provisioner.bare_client PORT PKI REST COUNT.

Prints how many seconds of CPU a request costs more after REST seconds of sleep than right after another: the
median of COUNT pairs. On some machines it is twenty times as much, whatever the program: they map memory anew
that was not used for a second (seen: 44 us a page, in a loop that does nothing but touch bytes).
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from provisioner.lease import leases
from tools.kube.api import Api

_LEASE = f"{leases('kube-system')}/of-nobody"


def main() -> None:
    """Measure and print."""
    port, pki, rest, count = sys.argv[1:]
    with Api(int(port), Path(pki)) as api:
        _cost(api)  # connected
        print(statistics.median(_wakening(api, float(rest)) for _ in range(int(count))))


def _wakening(api: Api, rest: float) -> float:
    time.sleep(rest)  # what is measured
    cold, warm = _cost(api), _cost(api)
    return cold - warm


def _cost(api: Api) -> float:
    before = time.process_time()
    api.get(_LEASE)
    return time.process_time() - before


if __name__ == "__main__":
    main()
