"""The kernel's configfs, as any target is driven through it: mounted, attributes written, links removed.

It knows no LUN. The guest side: standard library only.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simulator.dataplane.plane import DataPlaneError

CONFIGFS = Path("/sys/kernel/config")
START_LIMIT = 60  # seconds that mount or modprobe may take


def load(configfs: Path, modules: Sequence[str]) -> None:
    """Mount configfs there unless it is, and load the modules that fill it; raises DataPlaneError."""
    if not os.path.ismount(configfs):
        start("/bin/mount", "-t", "configfs", "configfs", str(configfs))
    start("/sbin/modprobe", "-a", *modules)


def write(attribute: Path, value: object) -> None:
    """Write an attribute, one line; raises OSError when the kernel refuses the value."""
    attribute.write_text(f"{value}\n")


def links(directory: Path) -> list[Path]:
    """Return the links in a folder; its attributes are plain files."""
    return [entry for entry in directory.iterdir() if entry.is_symlink()]


def remove_with_links(directory: Path) -> None:
    """Remove a folder, if it is there, and before it its links, which would hold it."""
    if directory.is_dir():
        for link in links(directory):
            link.unlink()
        directory.rmdir()


@contextmanager
def told() -> Iterator[None]:
    """Turn the kernel's refusals into DataPlaneError."""
    try:
        yield
    except OSError as error:
        raise DataPlaneError(str(error)) from error


def start(*argv: str) -> None:
    """Run a program to its end; raises DataPlaneError when it fails."""
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=START_LIMIT, check=False, env={"PATH": "/sbin:/bin"}
    )
    if done.returncode:
        raise DataPlaneError(f"{argv[0]}: {done.stderr.strip()}")
