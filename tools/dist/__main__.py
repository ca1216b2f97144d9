"""Makes what users get: `python -m tools.dist [--arch ARCH]... [--into FOLDER] [--tree PART]`."""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.dist import archive, packages, policy_package, toolchain, tree
from tools.install import PARTS, ROOT
from tools.lab.fault import LabFault
from tools.lab.progress import to_stderr


def main() -> int:
    """Write archives, packages and SHA256SUMS, or say where the tree of a part lies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--arch", action="append", choices=toolchain.ARCHES, help="default: all")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="default: dist/ of the checkout")
    trees = "make the Python of this part alone, and print its folder"
    parser.add_argument("--tree", action="append", choices=PARTS, help=trees)
    given = parser.parse_args()
    try:
        if given.tree:
            for arch, part in itertools.product(given.arch or toolchain.ARCHES, given.tree):
                print(tree.runtime(part, arch, to_stderr))
            return 0
        if found := archive.changed():
            to_stderr(f"dist: this is not what the commit makes, for the checkout has changes:\n{found}")
        made = {file for arch in given.arch or toolchain.ARCHES for file in make(arch, given.into)}
        write_sums(given.into, sorted(made))
    except LabFault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def make(arch: str, target: Path) -> list[Path]:
    """Make archive, deb and rpm for a processor in `target`; return the files."""
    subprocess.run(["make", "-s", "stub"], cwd=ROOT, check=True, timeout=600)
    target.mkdir(parents=True, exist_ok=True)
    for stale in target.glob(f".*{arch}-*"):
        shutil.rmtree(stale)  # of a build that was killed
    when = archive.epoch()
    with tempfile.TemporaryDirectory(prefix=f".{arch}-", dir=target) as scratch:
        top = archive.stage(arch, Path(scratch), to_stderr)
        packed = target / f"{top.name}.tar.gz"
        archive.pack(top, packed, when)
        made = [packed]
        for package in packages.PACKAGES:
            made += packages.make(package, top, arch, when, target)
        made += policy_package.make(top, when, target)  # of both processors the same
    return made


def write_sums(target: Path, made: list[Path]) -> None:
    """Write the digests of what was made, as sha256sum does and checks them."""
    lines = [f"{archive.digest(file)}  {file.name}\n" for file in sorted(made)]
    beside = target / ".SHA256SUMS.new"
    beside.write_text("".join(lines))
    beside.replace(target / "SHA256SUMS")


if __name__ == "__main__":
    sys.exit(main())
