"""What of a valid configuration will not work on this host: `ext-check-cfg` warns of it.

Root asks as the agent's user, whom it becomes for good; who is neither cannot tell, and then is not told.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import log_directory, places
from instorage.configuration import cipher_key
from instorage.privilege import leave_root
from nodeagent.administration import multipath_conf, versions
from nodeagent.administration.array import USER
from nodeagent.host import fc_ports
from nodeagent.operation.journal import UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.configuration.settings import Configuration

_ASKED = "LoadState,ProtectSystem,ReadWritePaths,StateDirectory,LogsDirectory,Environment"
SHOW = ("/usr/bin/systemctl", "show", UNIT, f"--property={_ASKED}")
SYSFS = Path("/sys")
_SECONDS = 5.0


@dataclass(frozen=True)
class Unit:
    """What systemd says of the agent's service. `writable`: the only places that it may write, None: any."""

    configuration: Path = field(default_factory=lambda: places.plugin({}) / "config" / "instorage.yaml")
    writable: tuple[Path, ...] | None = None

    @classmethod
    def read(cls, text: str) -> Unit:
        """Take the output of systemctl show; a unit that is not there says nothing."""
        shown = dict(line.partition("=")[::2] for line in text.splitlines())
        if shown.get("LoadState") != "loaded":
            return cls()
        settings = dict(word.partition("=")[::2] for word in shown.get("Environment", "").split())
        plugin = places.plugin(settings)
        open_ones = [Path(word.lstrip("-+")) for word in shlex.split(shown.get("ReadWritePaths", ""))]
        open_ones += [Path("/var/log") / word for word in shown.get("LogsDirectory", "").split()]
        open_ones += [Path("/var/lib") / word for word in shown.get("StateDirectory", "").split()]
        return cls(
            configuration=Path(settings.get("INSTORAGE_CONFIG", plugin / "config" / "instorage.yaml")),
            writable=tuple(open_ones) if shown.get("ProtectSystem") == "strict" else None,
        )

    def reads(self, file: Path) -> bool:
        """Say whether that is the file that the agent reads."""
        return _same(file, self.configuration)


def installed() -> Unit:
    """Ask systemd for the agent's unit; what it does not say is taken as it is delivered."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        ran = subprocess.run(
            SHOW, capture_output=True, text=True, timeout=_SECONDS, check=False, env={"LC_ALL": "C"}
        )
        return Unit.read(ran.stdout)
    return Unit()


def remarks(found: Configuration, unit: Unit, key: Path, *, draft: bool = False) -> Iterator[str]:
    """Yield a sentence, with the mend, for each thing that is wrong.

    `key` is the key file of the shadows; `draft`: a file that nobody said the agent reads.
    """
    if not draft and not unit.reads(found.path):
        yield (
            f"{found.path} is not the file that the node agent reads, which is {unit.configuration}: correct "
            "that one, or have this directory used: install.sh --node --plugin-dir "
            f"{found.plugin_directory.parent}."
        )
    if found.host is not None and (why := fc_ports.unusable(found.host, SYSFS)):
        yield why
    if found.host is not None and not found.host.lock_path.exists():
        yield (
            f"{found.host.lock_path} (host.attachExtendFileLockPath) does not exist, so that other programs "
            "are not kept out by a lock of it: make the file, or remove the key."
        )
    yield from multipath_conf.remarks(multipath_conf.PLACES)
    if not draft:
        yield from (sentence for _, sentence in versions.judged(versions.TABLE))
    if not _became_agent():
        return
    if key.exists() and not os.access(key, os.R_OK):
        yield f"The user {USER} cannot read {key}, which opens shadows: {cipher_key.readable(key)}, as root."
    if found.log.enabled and (error := _unwritable(found.log.directory, unit, made=True)):
        mend = log_directory.mend(error, found.log.directory, UNIT)
        yield f"{found.log.directory} (log.logdir) gets no log files, the journal alone has all: {mend}"
    for one in found.storage:
        own = not _same(one.barrier_directory, found.plugin_directory)  # there the helper writes
        if own and (error := _unwritable(one.barrier_directory, unit, made=False)):
            yield (
                f"{one.barrier_directory} (barrierPath of {one.name}) gets no barrier file, and without it "
                f"no active-active volume grows: {_given(error, one.barrier_directory)}."
            )


def _same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return one.absolute() == other.absolute()


def _became_agent() -> bool:
    try:
        uid = pwd.getpwnam(USER).pw_uid
    except KeyError:
        return False
    leave_root(USER)
    return os.geteuid() == uid


def _unwritable(directory: Path, unit: Unit, *, made: bool) -> int:
    """Return the error (errno) that the agent gets there, 0 for none; `made`: it makes it if it can."""
    place = directory.absolute()
    if unit.writable is not None and not any(place.is_relative_to(one) for one in unit.writable):
        return errno.EROFS
    while made and not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return errno.ENOTDIR
    return 0 if os.access(place, os.W_OK | os.X_OK) else errno.EACCES


def _given(error: int, place: Path) -> str:
    """Return how the agent's user gets a place for barrier files."""
    if error == errno.EROFS:
        return f"{UNIT} may not write there: name it in a drop-in, [Service] ReadWritePaths=-{place}"
    if error == errno.ENOTDIR:
        return f"it is no directory: make it, and give it to the user {USER}"
    return f"the user {USER} may not write in {place}: give it to that user"
