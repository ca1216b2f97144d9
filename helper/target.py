"""The two shapes of a mount target, and the walk to one that follows no link.

A verb takes no other target: else a compromised agent would mount its own volume over kubelet's
configuration and be root (architecture.md 4).
"""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from helper import mounts
from helper.settings import Settings
from instorage.wire.fault import Code, Fault

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}"
_POD = r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})"  # a static pod's is a hash
_DIRECTORY = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY


class Target(NamedTuple):
    """A path of one of the two shapes: the whole, kubelet's directory, what follows it."""

    text: str
    root: str
    parts: list[str]
    is_device: bool

    @property
    def name(self) -> str:
        """The volume's name in kubelet."""
        return self.parts[-1]


def parse(text: str, settings: Settings) -> Target:
    """Take a device mount or a pod's directory below kubelet's directories, else `Fault(NOT_ALLOWED)`."""
    driver = re.escape(settings.driver)
    folder = re.escape(settings.driver.replace("~", "/"))
    device = rf"plugins/kubernetes\.io/flexvolume/{folder}/mounts/{_NAME}"
    pod = f"pods/{_POD}/volumes/{driver}/{_NAME}"
    for root in settings.roots if len(text) <= 4096 else ():
        rest = text.removeprefix(root.rstrip("/") + "/")
        for shape in (device, pod) if rest != text else ():
            if re.fullmatch(shape, rest, re.ASCII):
                return Target(text, root, rest.split("/"), shape is device)
    shown = f"{text[:300]!r} is neither a device mount nor a pod's directory of {settings.driver} below "
    shown += f"{' or '.join(settings.roots)}: if kubelet's is elsewhere, set kubelet_roots in helper.conf."
    raise Fault(Code.NOT_ALLOWED, shown, target=text[:300])


def spelled(path: str, settings: Settings) -> str | None:
    """Return a target as kubelet says it, of a path as the kernel shows it; None when it is no target.

    They differ where kubelet's directory is a link.
    """
    for root in settings.roots:
        real = os.path.realpath(root)
        said = root.rstrip("/") + path.removeprefix(real) if path.startswith(f"{real}/") else path
        with contextlib.suppress(Fault):
            return parse(said, settings).text
    return None


class Place(NamedTuple):
    """A target whose parent directory is held open, so that nothing on the way can be swapped."""

    target: Target
    parent: int

    def open(self) -> int:
        """Return a descriptor of what is at the target now, the root of the topmost mount if there is one."""
        return os.open(self.target.name, _DIRECTORY, dir_fd=self.parent)

    def row(self) -> mounts.Row | None:
        """Return the topmost mount at the target, None when it is no mount point."""
        at = self.open()
        here, above = _mount_id(at), _mount_id(self.parent)
        os.close(at)
        return next((row for row in mounts.table() if row.mount_id == here), None) if here != above else None

    def seen(self) -> mounts.Row | None:
        """Return what `row` does, found anew by the path; None as well when that leads elsewhere by now."""
        with contextlib.suppress(Fault, FileNotFoundError), walk(self.target) as again:
            return again.row()
        return None


@contextlib.contextmanager
def walk(target: Target, *, create: bool = False) -> Iterator[Place]:
    """Hold the parent of a target; `create` makes the last directory if it is missing.

    And, for good, those on the way to a device mount: a kubelet without attach calls never makes them.
    `Fault(NOT_ALLOWED)` when a part is a link or no directory; FileNotFoundError when one is missing, with
    `create` a Fault as well. What was made for nothing goes again: a failure leaves the target as it was.
    """
    made = False
    held = [os.open(os.path.realpath(target.root), _DIRECTORY)]  # the root is the administrator's word
    try:
        for part in target.parts[:-1]:
            if create and target.is_device:
                with contextlib.suppress(OSError):
                    os.mkdir(part, 0o750, dir_fd=held[-1])
            held.append(_step(held[-1], part, target, must=create))
        if create:
            with contextlib.suppress(OSError):  # it is there, as kubelet makes it, or the next step says so
                os.mkdir(target.name, 0o750, dir_fd=held[-1])
                made = True
        os.close(_step(held[-1], target.name, target, must=create))
        yield Place(target, held[-1])
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(target.name, dir_fd=held[-1])
        raise
    finally:
        for descriptor in held:
            os.close(descriptor)


def _step(at: int, part: str, target: Target, *, must: bool) -> int:
    try:
        return os.open(part, _DIRECTORY, dir_fd=at)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not must:
            raise
        link = isinstance(error, NotADirectoryError)
        why = "is a link or no directory" if link else f"cannot be opened ({error.strerror})"
        bind = f": put a bind mount there (bind,private,shared), no link; {target.root} alone may be one"
        mend = "" if not link else bind if part in target.parts[:-1] else ": remove it"
        raise Fault(Code.NOT_ALLOWED, f"{part} in {target.text} {why}{mend}.", target=target.text) from None


def _mount_id(descriptor: int) -> int:
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as facts:
        return next(int(line.split()[1]) for line in facts if line.startswith("mnt_id:"))
