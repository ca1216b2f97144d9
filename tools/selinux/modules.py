"""Link our module with a policy that lies in modules, as `make install` of its sources has it, and check it.

`python -m tools.selinux.modules MODULE FOLDER`: the folder has the policy's base.pp and the other *.pp (or
*.pp.bz2). Prints what does not hold of our domains; neverallow rules, ours and the policy's, count. Exit
status 1 for that, and where it could not be found out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tools.lab.fault import LabFault
from tools.selinux.assertions import broken
from tools.selinux.linked import CHECKED, STORE, Linked

SETTINGS = "module-store = direct\n"


def with_modules(root: Path, folder: Path, module: Path) -> Linked:
    """Link `module` with the policy in `folder`, in a store below `root`; LabFault when it is refused."""
    modules = sorted((*folder.glob("*.pp"), *folder.glob("*.pp.bz2")))
    if not any(path.name.startswith("base.pp") for path in modules):
        text = (
            f"{folder} has no base.pp: the module is compiled, and nothing is known of what it may do there. "
            "In the checkout of the policy run make install with the DESTDIR= of its headers."
        )
        raise LabFault("selinux-no-modules", text)
    for place in (f"etc/selinux/{STORE}/policy", f"etc/selinux/{STORE}/contexts/files"):
        (root / place).mkdir(parents=True)
    (root / "var/lib/selinux" / STORE).mkdir(parents=True)
    (root / "etc/selinux/semanage.conf").write_text(SETTINGS + CHECKED, encoding="utf-8")
    policy = Linked(root)
    policy.add(*modules, module)
    return policy


def main() -> int:
    """Check, and print what does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tools.selinux.modules", description=__doc__)
    parser.add_argument("module", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            found = broken(with_modules(Path(scratch), given.folder, given.module))
    except LabFault as fault:
        print(fault, file=sys.stderr)
        return 1
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
