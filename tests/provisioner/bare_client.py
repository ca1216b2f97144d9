"""What a request costs here at the least: python -m tests.provisioner.bare_client PORT PKI REST COUNT.

Prints for each of COUNT pairs the milliseconds of CPU of a request after REST seconds of sleep, and of one
right after it. On some machines the first costs twenty times the second, whatever the program: they map
memory anew that was not used for a second (seen: 44 us a page, in a loop that does nothing but touch bytes).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from provisioner.cluster import LEASES
from tools.kube.api import Api

_LEASE = f"{LEASES.format('kube-system')}/of-nobody"


def main() -> None:
    """Print the pairs, a line each."""
    port, pki, rest, count = sys.argv[1:]
    with Api(int(port), Path(pki)) as api:
        _cost(api)  # connected
        for _ in range(int(count)):
            time.sleep(float(rest))
            print(_cost(api), _cost(api), flush=True)


def _cost(api: Api) -> float:
    before = time.process_time()
    api.get(_LEASE)
    return 1000 * (time.process_time() - before)


if __name__ == "__main__":
    main()
