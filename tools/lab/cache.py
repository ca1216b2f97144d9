"""Build results kept outside the checkout, each in a folder named by the hash of what it was made from."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.lab.fault import LabFault
from tools.lab.progress import Report

KEEP: Final = 2  # of each kind: a branch and what it came from


def root() -> Path:
    """Return the cache's folder."""
    return Path(os.environ.get("INSTORAGE_LAB_CACHE") or "/var/cache/instorage-lab")


def key(*inputs: str | bytes | Path) -> str:
    """Return a short hash of texts and of files' names and contents (folders: all files in them)."""
    digest = hashlib.sha256()
    for item in inputs:
        for part in _parts(item):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def _parts(item: str | bytes | Path) -> Iterator[bytes]:
    if isinstance(item, bytes):
        yield item
    elif isinstance(item, str):
        yield item.encode()
    elif item.is_dir():
        for file in sorted(p for p in item.iterdir() if p.is_file()):
            yield from _parts(file)
    else:
        yield item.name.encode()
        yield oct(item.stat().st_mode & 0o111).encode()
        yield item.read_bytes()


def layer(
    kind: str, hashed: str, make: Callable[[Path], None], report: Report, below: Path | None = None
) -> Path:
    """Return folder `KIND-HASH` of the cache `below` (the lab's), made by `make(folder)` if it is not there.

    It appears whole or not at all; of two processes that want it, one makes it and the other waits.
    """
    target = (below or root()) / f"{kind}-{hashed}"
    if os.geteuid() != 0:
        raise LabFault("lab-not-root", "run as root: building an image needs chroot and mount.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(kind, report, wanted=target):
        if not target.exists():
            _make(kind, target, make)
        os.utime(target)
    return target


def _make(kind: str, target: Path, make: Callable[[Path], None]) -> None:
    for stale in target.parent.glob(f".{kind}-*"):
        shutil.rmtree(stale)  # left by a build that was killed: this process holds the lock
    building = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=target.parent))
    try:
        building.chmod(0o755)
        make(building)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    by_use = sorted(target.parent.glob(f"{kind}-*"), key=lambda folder: folder.stat().st_mtime)
    for old in by_use[:-KEEP]:
        shutil.rmtree(old)


@contextmanager
def _locked(kind: str, report: Report, wanted: Path) -> Iterator[None]:
    with (wanted.parent / f"{kind}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wanted.exists():
                report(f"lab: waiting for another process that makes the {kind}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
