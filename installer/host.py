"""The host: its root directory, whether it runs, and its programs, each with a deadline."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAMS: Final = f"{os.environ.get('PATH') or '/usr/bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
LIMIT: Final = 60  # seconds for a program
READ: Final = 1 << 20  # bytes of a file that may be anybody's
NOT_FOUND, TOO_LATE, NOT_STARTED = 127, 124, 126


@dataclass(frozen=True)
class Done:
    """How a program ended: its status, what it wrote to its standard output, and to both."""

    status: int
    said: str

    @property
    def lines(self) -> list[str]:
        """What it said, line by line."""
        return self.said.splitlines()


def find(name: str) -> str | None:
    """Return where a program lies, by the administrator's PATH and the usual places."""
    return name if name.startswith("/") else shutil.which(name, path=PROGRAMS)


def run(
    *argv: str, errors: bool = False, limit: float = LIMIT, more: Mapping[str, str] | None = None
) -> Done:
    """Run a program to its end, at most `limit` seconds; `errors`: what it said has its errors, too."""
    program = find(argv[0])
    if program is None:
        return Done(NOT_FOUND, f"{argv[0]} is not here" if errors else "")
    try:
        done = subprocess.run(
            [program, *argv[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.DEVNULL, timeout=limit, check=False,
            env={"PATH": PROGRAMS, "LC_ALL": "C", **(more or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Done(TOO_LATE, f"no answer within {limit:.0f} s" if errors else "")
    except OSError as error:
        return Done(NOT_STARTED, (error.strerror or "") if errors else "")
    return Done(done.returncode, done.stdout.decode(errors="replace").rstrip("\n"))


def is_root() -> bool:
    """Whether this process may do everything."""
    return os.geteuid() == 0


def there(path: Path) -> bool:
    """Whether something has that name: a link that leads nowhere, too."""
    return os.path.lexists(path)


def read_file(path: Path) -> str:
    """Return the beginning of a plain file whose place or content may be anybody's; nothing when it is none.

    No link is followed at its end, no pipe is waited for, and not more is read than what we look for needs.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return file.read(READ).decode(errors="replace") if plain else ""


@dataclass(frozen=True)
class Host:
    """A host that runs (`live`), or an image whose root directory is `root` (empty: «/»)."""

    root: str = ""
    live: bool = True

    def path(self, place: str) -> Path:
        """Return where a place of the host is found from here."""
        return Path(self.root + place)

    @property
    def boots(self) -> bool:
        """Whether systemd runs here, and is to be told."""
        return self.live and Path("/run/systemd/system").is_dir()

    def in_use(self, place: str) -> bool:
        """Whether a program still runs from that tree: what it has not imported yet must not go.

        Of an environment of a checkout, whose Python is the host's, only the command line tells.
        """
        return self.live and any(name.startswith(f"{place}/") for name in programs())


def processes() -> list[Path]:
    """Return the directory of each process in /proc."""
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()]


def executable(process: int | str) -> str:
    """Return the file that a process runs; nothing when there is no such process."""
    try:
        return str(Path(f"/proc/{process}/exe").readlink())
    except OSError:
        return ""


def programs() -> list[str]:
    """Return what runs, as file and as named on the command line, of all that let themselves be looked at."""
    return [
        name
        for process in processes()
        for name in (executable(process.name), *command_line(process)[:1])
        if name
    ]


def command_line(process: Path) -> list[str]:
    """Return a process' arguments; none when it has ended."""
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def named(name: str) -> list[str]:
    """Return the arguments of a process of root's that has that name; none when there is none.

    Anybody can call a process so. Where root has several, one that sees the host's files goes before one in
    a container, which may be anybody's too.
    """
    found = [process for process in processes() if _called(process, name) and _is_roots(process)]
    found.sort(key=lambda process: not _sees_host(process))
    return next(filter(None, map(command_line, found)), [])


def _called(process: Path, name: str) -> bool:
    try:
        return (process / "comm").read_text(errors="replace").rstrip("\n") == name
    except OSError:
        return False


def _is_roots(process: Path) -> bool:
    """Whether all its user numbers are 0; the owner of its directory in /proc may be root all the same."""
    try:
        status = (process / "status").read_text(errors="replace")
    except OSError:
        return False
    return any(line.split()[1:] == ["0"] * 4 for line in status.splitlines() if line.startswith("Uid:"))


def _sees_host(process: Path) -> bool:
    try:
        return (process / "ns/mnt").readlink() == Path("/proc/1/ns/mnt").readlink()
    except OSError:
        return False
