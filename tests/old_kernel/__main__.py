"""Run Python as on an older kernel: `python -m tests.old_kernel 4.4 -- -m pytest tests/helper`."""

from __future__ import annotations

import os
import sys

from tests.old_kernel.kernel import FIRST_MISSING, become


def main(arguments: list[str]) -> int:
    """Become Python with what stands behind «--»; 2 for wrong usage."""
    version, rest = arguments[0] if arguments else "", arguments[2:]
    if version not in FIRST_MISSING or arguments[1:2] != ["--"] or not rest:
        print(
            f"usage: python -m tests.old_kernel {'|'.join(FIRST_MISSING)} -- ARGUMENTS OF PYTHON",
            file=sys.stderr,
        )
        return 2
    become(version)
    os.execv(sys.executable, [sys.executable, *rest])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
