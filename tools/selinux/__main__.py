"""`python -m tools.selinux`: link the module and write what each domain may do, for tests/selinux/access/."""

import sys

from tools.lab.fault import LabFault
from tools.lab.progress import to_stderr
from tools.selinux import access
from tools.selinux.linked import linked


def main() -> int:
    """Write the files anew and print their names."""
    try:
        for path in access.write(linked(to_stderr)):
            print(path)
    except LabFault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
