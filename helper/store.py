"""Small files that must outlive a crash: written beside, fsynced, renamed, the directory fsynced as well."""

import contextlib
import os
import stat
from collections.abc import Iterator

from helper.scsi import descriptor
from instorage.wire.fault import Code, Fault

_LONGEST = 65536  # characters that are read of a file
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


def put(path: str, name: str, text: str, mode: int = 0o600) -> None:
    """Have a file with this text; when this returns it is on the disk."""
    with _said(path, name, "written"), _folder(path, make=True) as folder:
        new = os.open(f".{name}", _NEW, mode, dir_fd=folder)
        with open(new, "w", encoding="utf-8", errors="replace") as file:
            os.fchmod(new, mode)  # whatever the umask takes away
            file.write(text)
            file.flush()
            os.fsync(new)
        os.rename(f".{name}", name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


def get(path: str, name: str) -> str | None:
    """Return the text of a file, None when there is no such file; a link, a pipe or a folder is none.

    `Fault(BAD_CONFIGURATION)` when it cannot be read: that is not the same.
    """
    with _said(path, name, "read"), contextlib.suppress(FileNotFoundError), _folder(path) as folder:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return None
        found = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with open(found, encoding="utf-8", errors="replace", newline="") as file:
            return file.read(_LONGEST)
    return None


def drop(path: str, name: str) -> bool:
    """Have no file of that name; return whether there was one. Faults as those of `put`."""
    if there := name in names(path):
        with _said(path, name, "removed"), _folder(path) as folder:
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)
    return there


def names(path: str) -> list[str]:
    """Return the names of the files in order, without those that are only being written; faults as `get`."""
    with _said(path, "", "read"), contextlib.suppress(FileNotFoundError):
        return sorted(name for name in os.listdir(path) if not name.startswith("."))
    return []


@contextlib.contextmanager
def _said(path: str, name: str, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = f"{os.path.join(path, name)} cannot be {what} ({error.strerror}): mend that first."
        raise Fault(Code.BAD_CONFIGURATION, said, file=os.path.join(path, name)) from None


@contextlib.contextmanager
def _folder(path: str, *, make: bool = False) -> Iterator[int]:
    """Hold a directory that is root's alone to write and no link."""
    if make:
        os.makedirs(path, mode=0o700, exist_ok=True)
    with descriptor(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) as folder:
        facts = os.fstat(folder)
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o022:
            text = f"In {path} others than root may write: chown root, chmod go-w."
            raise Fault(Code.BAD_CONFIGURATION, text, file=path)
        yield folder
