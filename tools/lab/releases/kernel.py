"""A release's kernel out of its package: the ELF image for QEMU, and modules as they are without compression.

Debian 13 packs its kernel with zstd and its modules with xz, and has them below /usr/lib; earlier releases
pack the kernel alone, with xz.
"""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault
from tools.lab.image import UNUSED_MODULES
from tools.lab.kernel import DEFAULT_SETUP_SECTORS, PAYLOAD, SECTOR, SETUP_SECTORS, write_uncompressed
from tools.lab.progress import Programs

ZSTD: Final = b"\x28\xb5\x2f\xfd"
LENGTH_BYTES: Final = 4  # of the unpacked image, behind what is packed


def unpack(package: Path, folder: Path, root: Path, programs: Programs) -> Path:
    """Write `vmlinux` into the folder and the modules into a root; return the modules' folder there."""
    unpacked = folder / "kernel"
    programs.run("dpkg-deb", "-x", package, unpacked)
    (source,) = (*unpacked.glob("lib/modules/*"), *unpacked.glob("usr/lib/modules/*"))
    _write_image(unpacked / f"boot/vmlinuz-{source.name}", folder / "vmlinux")
    for unused in UNUSED_MODULES:
        shutil.rmtree(source / "kernel" / unused, ignore_errors=True)
    programs.run("find", source, "-name", "*.ko.xz", "-exec", "xz", "-d", "{}", "+")
    target = root / "usr/lib/modules" / source.name
    shutil.copytree(source, target, symlinks=True)
    shutil.rmtree(unpacked)
    return target


def _write_image(compressed: Path, target: Path) -> None:
    image = compressed.read_bytes()
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = ((image[SETUP_SECTORS] or DEFAULT_SETUP_SECTORS) + 1) * SECTOR + offset
    packed = image[start : start + length - LENGTH_BYTES]
    if not packed.startswith(ZSTD):
        write_uncompressed(compressed, target)
        return
    with target.open("wb") as elf:
        done = subprocess.run(["zstd", "-qdc"], input=packed, stdout=elf, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise LabFault("lab-kernel-format", f"{compressed.name} holds no zstd payload: {done.stderr!r}.")
