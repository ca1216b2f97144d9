"""The kernel as QEMU starts it fastest: uncompressed, at its PVH entry point.

Debian's kernel unpacks itself, which takes an emulated machine 3 s at the first start and 13 to 17 s after
a reset: it then writes over pages whose code QEMU has already translated. QEMU itself loads an ELF kernel
(Debian's has CONFIG_PVH) in no time.
"""

import lzma
import struct
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault

# Offsets in a bzImage: Documentation/x86/boot.rst of the kernel.
SETUP_SECTORS: Final = 0x1F1
PAYLOAD: Final = 0x248
SECTOR: Final = 512
DEFAULT_SETUP_SECTORS: Final = 4


def write_uncompressed(compressed: Path, target: Path) -> None:
    """Write the ELF image out of a bzImage that was packed with xz."""
    image = compressed.read_bytes()
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = ((image[SETUP_SECTORS] or DEFAULT_SETUP_SECTORS) + 1) * SECTOR + offset
    try:
        # a decompressor object, since four bytes with the unpacked length follow
        elf = lzma.LZMADecompressor().decompress(image[start : start + length])
    except lzma.LZMAError as error:
        raise LabFault("lab-kernel-format", f"{compressed.name} holds no xz payload: {error}.") from None
    target.write_bytes(elf)
