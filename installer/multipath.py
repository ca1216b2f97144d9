"""The manual's section for multipath.conf (manual 3.2), as a file of its own that multipathd reads.

An administrator's own section for the array counts: then ours is not put, for it is read after his and would
win. multipathd takes a new file when it starts, or when it is told to; it is not told here, since that loads
every map of the host anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from installer import services
from installer.files import remove, remove_empty
from installer.host import there
from installer.saying import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from installer.files import Files
    from installer.host import Host

MAIN: Final = ("/etc/multipath.conf", "/etc/multipath/multipath.conf")
DIRECTORY: Final = "/etc/multipath/conf.d"  # where Debian 11 to 13, RHEL 7 and later, SLES 12 and later look
NAME: Final = "instorage.conf"
DAEMON: Final = "multipathd.service"
HEAD: Final = "# Written by install.sh of InStorage"
TEXT: Final = f"""{HEAD}: what the manual (3.2) has for the array's disks.
# Your own section for vendor "INSPUR" counts instead, if there is one in multipath.conf: then the next run of
# install.sh takes this file away. «instoragectl multipath» says what is in force.
devices {{
    device {{
        vendor "INSPUR"
        product "MCS"
        path_grouping_policy group_by_prio
        path_selector "round-robin 0"
        features "1 queue_if_no_path"
        prio alua
        path_checker tur
        failback immediate
        no_path_retry "60"
        rr_min_io 1
        dev_loss_tmo 120
        fast_io_fail_tmo 5
    }}
}}
"""
_COMMENT: Final = re.compile(r"(^|\s)[#!][^\"\n]*$", re.MULTILINE)
_DEVICES: Final = re.compile(r"^\s*devices\s*\{((?:[^{}]|\{[^{}]*\})*)\}", re.MULTILINE)
_VENDOR: Final = re.compile(r"^\s*vendor\s+\"?([^\"\n]+?)\"?\s*$", re.MULTILINE)
_CONFIG_DIR: Final = re.compile(r"^\s*config_dir\s+\"?([^\"\s]*)\"?", re.MULTILINE)


def put(files: Files) -> str:
    """Put the file, or leave the administrator's to count; return what is left to be done, if anything."""
    host = files.host
    place = f"{_directory(host)}/{NAME}"
    if own := _administrators(host, place):
        say(f"{own} has a section for INSPUR, which counts: instoragectl multipath says what it lacks.")
        if _ours(host.path(place)):
            files.discard(place)
        return ""
    before = _read(host.path(place))
    files.write(place, 0o644, TEXT.encode())
    if before == TEXT or not host.live or not services.is_active(DAEMON):
        return ""
    return (
        f"multipathd takes {place} when it starts; now, at a quiet moment, with «multipathd reconfigure» "
        "(it loads every map of this host anew)."
    )


def take_away(host: Host) -> None:
    """Remove the file, if it is ours, and the directories if nothing else is in them."""
    for directory in dict.fromkeys((DIRECTORY, _directory(host))):
        path = host.path(f"{directory}/{NAME}")
        if _ours(path) or not there(path):  # what a run left that was killed before the rename
            remove(path)
            if remove_empty(path.parent):
                remove_empty(path.parent.parent)


def _directory(host: Host) -> str:
    """Return the directory that multipathd reads besides: older ones may be told another."""
    said = [match for path in MAIN for match in _CONFIG_DIR.findall(_plain(host.path(path)))]
    return next((one.rstrip("/") for one in reversed(said) if one.startswith("/")), DIRECTORY)


def _administrators(host: Host, place: str) -> Path | None:
    """Return a file of the host that says something of the array's disks and is not ours."""
    for path in _files(host, place):
        if not _ours(path) and any(map(_fits, _vendors(_plain(path)))):
            return path
    return None


def _files(host: Host, place: str) -> Iterator[Path]:
    yield from (host.path(path) for path in MAIN)
    yield from sorted(host.path(place).parent.glob("*.conf"))


def _vendors(text: str) -> Iterator[str]:
    for body in _DEVICES.findall(text):
        yield from _VENDOR.findall(body)


def _fits(pattern: str) -> bool:
    try:
        return bool(re.search(pattern, "INSPUR"))
    except re.error:
        return False


def _ours(path: Path) -> bool:
    return there(path) and _read(path).startswith(HEAD)


def _plain(path: Path) -> str:
    return _COMMENT.sub("", _read(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
