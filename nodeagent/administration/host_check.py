"""What of a valid configuration will not work on this host: `ext-check-cfg` warns of it.

Root asks as the agent's user, whom it becomes for good; who is neither cannot tell, and then is not told.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from nodeagent.administration import multipath_conf, versions
from nodeagent.administration.array import USER
from nodeagent.host.paths import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.configuration.settings import Configuration

UNIT = "instorage-nodeagent.service"
_ASKED = "LoadState,ProtectSystem,ReadWritePaths,StateDirectory,LogsDirectory,Environment"
SHOW = ("/usr/bin/systemctl", "show", UNIT, f"--property={_ASKED}")
_SECONDS = 5.0


@dataclass(frozen=True)
class Unit:
    """What systemd says of the agent's service. `writable`: the only places that it may write, None: any."""

    configuration: Path = PLUGIN / "config" / "instorage.yaml"
    writable: tuple[Path, ...] | None = field(default=None)

    @classmethod
    def read(cls, text: str) -> Unit:
        """Take the output of systemctl show; a unit that is not there says nothing."""
        shown = dict(line.partition("=")[::2] for line in text.splitlines())
        if shown.get("LoadState") != "loaded":
            return cls()
        settings = dict(word.partition("=")[::2] for word in shown.get("Environment", "").split())
        plugin = Path(settings.get("INSTORAGE_PLUGIN", PLUGIN))
        places = [Path(word.lstrip("-+")) for word in shown.get("ReadWritePaths", "").split()]
        places += [Path("/var/log") / word for word in shown.get("LogsDirectory", "").split()]
        places += [Path("/var/lib") / word for word in shown.get("StateDirectory", "").split()]
        return cls(
            configuration=Path(settings.get("INSTORAGE_CONFIG", plugin / "config" / "instorage.yaml")),
            writable=tuple(places) if shown.get("ProtectSystem") == "strict" else None,
        )


def installed() -> Unit:
    """Ask systemd for the agent's unit; what it does not say is taken as it is delivered."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        ran = subprocess.run(
            SHOW, capture_output=True, text=True, timeout=_SECONDS, check=False, env={"LC_ALL": "C"}
        )
        return Unit.read(ran.stdout)
    return Unit()


def remarks(found: Configuration, unit: Unit, *, draft: bool = False) -> Iterator[str]:
    """Yield a sentence, with the mend, for each thing. `draft`: a file that is for this host only perhaps."""
    if not draft and not _same(found.path, unit.configuration):
        yield (
            f"{found.path} is not the file that the node agent reads, which is {unit.configuration}: correct "
            "that one, or have this directory read (deploy/README.md, The driver)."
        )
    if found.host is not None and found.host.unusable:
        yield found.host.unusable
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
    if found.log.enabled and (why := _unwritable(found.log.directory, unit, made=True)):
        yield f"{found.log.directory} (log.logdir) gets no log files: {why}. The journal has everything."
    for one in found.storage:
        own = not _same(one.barrier_directory, found.plugin_directory)  # there the helper writes
        if own and (why := _unwritable(one.barrier_directory, unit, made=False)):
            yield (
                f"{one.barrier_directory} (barrierPath of {one.name}) gets no barrier file, and without it "
                f"no active-active volume grows: {why}."
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


def _unwritable(directory: Path, unit: Unit, *, made: bool) -> str:
    """Return why the agent cannot write in a directory, with the mend; `made`: it makes it if it can."""
    place = directory.absolute()
    if unit.writable is not None and not any(place.is_relative_to(one) for one in unit.writable):
        return f"{UNIT} may not write there: name it in a drop-in, [Service] ReadWritePaths={place}"
    while made and not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"it is no directory: make it, and give it to the user {USER}"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"the user {USER} may not write in {place}: give it to that user"
    return ""
