"""A directory for log files, and what keeps a service from writing there: each reason with its mend.

Both services may log to one `logdir` (manual 3.3: both have the same file). Then it belongs to root and to
the group of both, and is sticky: each can make files there, and neither can touch the other's.
"""

from __future__ import annotations

import errno
import re
import shlex
from pathlib import Path

GROUP = "instorage"  # of both services' users (systemd/sysusers.d)
SHARED = Path("/var/log/inspurlog")  # as in the manual; systemd/tmpfiles.d makes it
_UNSEEN = tuple(map(Path, ("/home", "/root", "/run/user")))  # ProtectHome= of both units
_OURS = ("instorage", "inspur")
_OF_ONE = {  # LogsDirectory= of the units: systemd gives it back to its user at each start
    "instorage-nodeagent.service": Path("/var/log/instorage"),
    "instorage-provisioner.service": Path("/var/log/instorage-provisioner"),
}
_PLAIN = re.compile(r"[\w/.,:=@+~^-]+", re.ASCII)


def mend(number: int, directory: Path, unit: str) -> str:
    """Return what lets `unit` write in `directory`, after error `number` (errno): the end of a sentence.

    What is to be typed is for root's shell, from «As root: » on.
    """
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"make room in {directory}."
    if any(directory.is_relative_to(one) for one in _UNSEEN):
        return "services do not see /home, /root and /run/user: choose another directory."
    for owner, place in _OF_ONE.items():
        if owner != unit and directory.is_relative_to(place):
            return f"it is for {owner} alone: choose {SHARED}, which is for both."
    if directory != SHARED and _is_for_others(directory):
        return f"it is not for these files alone: choose one of its own, as {directory / SHARED.name}."
    if number == errno.EROFS:
        return f"{unit} may write nowhere else than it was told to. As root: {_allow(unit, directory)}"
    if number in (errno.EACCES, errno.EPERM):
        return f"its user may not write there. As root: {_give(directory)}"
    return "choose another directory."


def _is_for_others(directory: Path) -> bool:
    """Say whether something lies there that is none of our log files: its modes are not ours to change."""
    try:
        return not all(path.is_file() and path.name.startswith(_OURS) for path in directory.iterdir())
    except OSError:
        return False


def _give(directory: Path) -> str:
    return f"install -d -m 1770 -g {GROUP} {shlex.quote(str(directory))}"


def _allow(unit: str, directory: Path) -> str:
    """Return the commands that make the directory and the drop-in that opens the unit's sandbox for it.

    With a dash before the path, else the service would not start any more once the directory is gone.
    """
    folder = f"/etc/systemd/system/{unit}.d"
    lines = f"'[Service]' {shlex.quote(f'ReadWritePaths={_setting(directory)}')}"
    return (
        f"{_give(directory)} && mkdir -p {folder} && printf '%s\\n' {lines} >{folder}/logdir.conf && "
        f"systemctl daemon-reload && systemctl restart {unit}"
    )


def _setting(directory: Path) -> str:
    """Return the path as a unit file spells it."""
    text = f"-{directory}".replace("%", "%%")
    return text if _PLAIN.fullmatch(text) else f'"{text}"'
