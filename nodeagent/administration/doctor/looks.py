"""Looks at a host that change nothing and are kept, so that a bundle is examined elsewhere as the host was.

Never opens a device. Texts are read to a limit, programs have a deadline; what hangs all the same hangs one
check, which `examination` leaves behind.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIRECTORIES = ("usr/sbin", "sbin", "usr/bin", "bin")
LIMIT = 1 << 20  # bytes of a text
PROGRAM_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
"""How long a look is waited for that another check has begun."""


@dataclass(frozen=True)
class Facts:
    """Of a file, links followed: type and rights (`st_mode`), owner, group."""

    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Room:
    """Of a file system: bytes and inodes that are free to users; `inodes` None where they are not counted."""

    free: int
    inodes: int | None
    read_only: bool


@dataclass(frozen=True)
class Ran:
    """What a program said; `status` below 0: ended by a signal, or not within its time (-1)."""

    status: int
    out: str
    errors: str

    @property
    def text(self) -> str:
        """Both outputs, for versions that are said on either."""
        return self.out + self.errors


class Looks:
    """The host below `root`; or, with `kept`, one that was looked at before."""

    def __init__(self, root: Path = Path("/"), kept: Mapping[str, Any] | None = None) -> None:
        self._root = root
        self._live = kept is None
        self.kept: dict[str, Any] = dict(kept or {})
        self.patience = PATIENCE_SECONDS
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def text(self, path: str | Path) -> str:
        """Return a file's text; OSError as open(2) has it."""
        return str(self.answer(f"text {path}", lambda: self._text(self.at(path))))

    def names(self, path: str | Path) -> list[str]:
        """Return what is in a directory, sorted; empty when there is no such directory, OSError else."""
        return list(self.answer(f"names {path}", lambda: _names(self.at(path))))

    def facts(self, path: str | Path) -> Facts | None:
        """Return a file's facts, None when there is none; OSError when that cannot be told."""
        found = self.answer(f"facts {path}", lambda: _facts(self.at(path)))
        return Facts(*found) if found else None

    def target(self, path: str | Path) -> str:
        """Return where a link leads; OSError."""
        return str(self.answer(f"target {path}", lambda: str(self.at(path).readlink())))

    def room(self, path: str | Path) -> Room:
        """Return the room where a directory lies; OSError."""
        return Room(*self.answer(f"room {path}", lambda: _room(self.at(path))))

    def run(
        self, program: str, *arguments: str, keep: Callable[[str], str] = lambda text: text
    ) -> Ran | None:
        """Run a program of the host without input; None when it is not installed.

        `keep` takes from what it prints what may be kept, and so be in a bundle; the rest is forgotten.
        """
        key = " ".join(("run", program, *arguments))
        found = self.answer(key, lambda: self._run(program, arguments, keep))
        return Ran(*found) if found else None

    def user(self, name: str) -> list[int]:
        """Return uid and gids of a user of the host, nothing when there is none; no other user is kept."""
        return list(self.answer(f"user {name}", lambda: self._user(name)))

    def answer(self, key: str, ask: Callable[[], Any]) -> Any:  # noqa: ANN401  # JSON
        """Return what was answered before under `key`, else ask; OSError and Fault are answers, too.

        `Fault(NOT_SUPPORTED)` when a bundle does not have it; `Fault(TIMEOUT)` when another check's hangs.
        """
        lock = self._locks[key]
        if not lock.acquire(timeout=self.patience):
            raise Fault(Code.TIMEOUT, f"A look that was begun before has not ended: «{key}».")
        try:
            if key not in self.kept:
                if not self._live:
                    raise Fault(Code.NOT_SUPPORTED, f"The bundle does not say «{key}».")
                self.kept[key] = _asked(ask)
            found = self.kept[key]
        finally:
            lock.release()
        if "errno" in found:
            raise OSError(found["errno"], os.strerror(found["errno"]), key.partition(" ")[2])
        if "fault" in found:
            raise Fault.from_wire(found["fault"])
        return found["is"]

    def readable(self, path: str) -> bool:
        """Whether who looks may read a file that is there; root may."""
        at = self.at(path)
        return self.whole or bool(self.answer(f"readable {path}", lambda: os.access(at, os.R_OK)))

    @property
    def owner(self) -> int:
        """The uid that owns the host: root's, or in a copy of a host that of the copy."""
        return int(self.answer("owner", lambda: self._root.stat().st_uid))

    @property
    def whole(self) -> bool:
        """Whether everything can be seen: by root."""
        return bool(self.answer("whole", lambda: os.geteuid() == 0))

    def at(self, path: str | Path) -> Path:
        """Return where a path of the host is found from here."""
        found = Path(path)
        return found if found.is_relative_to(self._root) else self._root / str(path).lstrip("/")

    def _text(self, path: Path) -> str:
        with path.open("rb") as file:
            return file.read(LIMIT).decode(errors="replace")

    def _user(self, name: str) -> list[int]:
        users = [line.split(":") for line in self._text(self.at("/etc/passwd")).splitlines()]
        found = next((one for one in users if one[0] == name and len(one) > 3), None)
        if found is None:
            return []
        groups = [line.split(":") for line in self._text(self.at("/etc/group")).splitlines()]
        more = [int(one[2]) for one in groups if len(one) > 3 and name in one[3].split(",")]
        return [int(found[2]), int(found[3]), *more]

    def _run(
        self, program: str, arguments: tuple[str, ...], keep: Callable[[str], str]
    ) -> tuple[int, str, str] | None:
        places = (self._root / one / program for one in DIRECTORIES)
        place = next((one for one in places if os.access(one, os.X_OK)), None)
        if place is None:
            return None
        try:
            done = subprocess.run(
                (str(place), *arguments), env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                stdin=subprocess.DEVNULL, capture_output=True, timeout=PROGRAM_SECONDS, check=False,
                text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return -1, "", f"it did not end within {PROGRAM_SECONDS:g} s"
        return done.returncode, keep(done.stdout)[:LIMIT], done.stderr[:LIMIT]


def _asked(ask: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"is": ask()}
    except OSError as error:
        return {"errno": error.errno or 5}
    except Fault as fault:
        return {"fault": fault.to_wire()}


def _names(path: Path) -> list[str]:
    try:
        return sorted(one.name for one in path.iterdir())
    except FileNotFoundError:
        return []


def _facts(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mode, found.st_uid, found.st_gid


def _room(path: Path) -> tuple[int, int | None, bool]:
    found = os.statvfs(path)
    inodes = found.f_favail if found.f_files else None
    return found.f_bavail * found.f_frsize, inodes, bool(found.f_flag & os.ST_RDONLY)
