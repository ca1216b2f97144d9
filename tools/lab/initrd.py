"""The initial RAM disk: busybox and the modules that mounting the root needs."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault
from tools.lab.progress import Programs

WANTED: Final = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")


def write_initrd(modules: Path, init: Path, folder: Path, programs: Programs) -> None:
    """Write `initrd.gz` into the folder, with modules of one kernel's `modules` folder (after depmod)."""
    tree = folder / "initrd"
    for name in ("bin", "dev", "proc", "sys", "new", "modules"):
        (tree / name).mkdir(parents=True)
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    if busybox is None:
        raise LabFault("lab-program-missing", "busybox is not installed; run tools/system-packages lab.")
    shutil.copy(busybox, tree / "bin/busybox")
    shutil.copy(init, tree / "init")
    order = _in_order(modules / "modules.dep")
    for module in order:
        shutil.copy(modules / module, tree / "modules")
    (tree / "modules/order").write_text("".join(f"{Path(module).name}\n" for module in order))
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    cpio = ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"]
    archive = subprocess.run(cpio, input=names.encode(), cwd=tree, stdout=subprocess.PIPE, check=True)
    (folder / "initrd.gz").write_bytes(gzip.compress(archive.stdout, 1))
    shutil.rmtree(tree)


def _in_order(dependencies: Path) -> list[str]:
    """Return the wanted modules' files, each after those that it needs (modules.dep lists nearest first)."""
    needs = dict(line.split(":", 1) for line in dependencies.read_text().splitlines())
    order: dict[str, None] = {}
    for name in WANTED:
        for path in needs:
            if os.path.basename(path) == f"{name}.ko":  # noqa: PTH119  a name in an index, not a file here
                order.update(dict.fromkeys([*reversed(needs[path].split()), path]))
    return list(order)
