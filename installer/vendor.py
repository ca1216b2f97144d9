"""The vendor's K8sPlugin on a node: found, said, taken over in place.

Its program gives way to ours under the same name and is kept beside it, under one that kubelet does not
execute. It is not put back by a removal: it maps volumes with -force, so that on a node where nobody expects
it a volume of another node would be mounted twice. Its configuration stays where it is, and as it is.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final

from installer import mounts, sessions, users
from installer.host import is_root, run
from installer.journal import Journal
from installer.places import DRIVER, LIBRARY
from installer.saying import say

if TYPE_CHECKING:
    from pathlib import Path

    from installer.files import Files
    from installer.host import Done, Host
    from installer.saying import Refusals

STUB: Final = DRIVER.partition("~")[2]
ASIDE: Final = ".vendor"
CONFIGURATION: Final = "config/instorage.yaml"
BARRIER: Final = "aa-extend-failure.barrier"
OLDER: Final = "inspur~instorage"  # the driver of K8sPlugin before 2.1
OURS: Final = b"INSTORAGE_AGENT_SOCKET"  # in each stub of ours
THEIRS: Final = b"inspur.com/storage/"  # in each program of theirs
UNFIT: Final = re.compile(r"^warning: (.*(?: cannot be used: | not in this version).*)", re.MULTILINE)
ANSWER: Final = 20  # seconds


def has(program: Path) -> bool:
    """Whether under the name of our stub lies a program that is none of ours."""
    return program.is_file() and OURS not in program.read_bytes()


def found(host: Host, plugin: str) -> bool:
    """Whether the vendor's program is in a plugin directory, or was before a run that was broken off."""
    return has(Journal(host, LIBRARY).former(f"{plugin}/{STUB}"))


def version(host: Host, program: Path, word: str) -> str:
    """Return the version by a program's own word, «of an unknown version» when it says none."""
    known = host.live and program.is_file() and _is_roots(program) and THEIRS in program.read_bytes()
    said = run(str(program), word, errors=True, limit=ANSWER).said if known else ""
    number = re.search(r"^Version: *V?([^\s,]+)", said, re.MULTILINE)
    return number[1] if number else "of an unknown version"


def _is_roots(program: Path) -> bool:
    """Whether root alone can change a program; what somebody else wrote is not started to be looked at."""
    way = (program.resolve(), *program.resolve().parents)
    facts = [one.stat() for one in way]
    others = (one.st_mode & stat.S_IWOTH or (one.st_gid and one.st_mode & stat.S_IWGRP) for one in facts)
    return not any(one.st_uid for one in facts) and not any(others)


def look(refusals: Refusals, host: Host, plugin: str, archive: Path) -> None:
    """Say what will be taken over, and refuse what our agent could not work with."""
    if not found(host, plugin):
        return
    program = Journal(host, LIBRARY).former(f"{plugin}/{STUB}")
    lines = [f"The vendor's K8sPlugin {version(host, program, 'ext-version')} is taken over:"]
    lines.append(f"{plugin}/{STUB}: kept as {STUB}{ASIDE}, which kubelet does not execute")
    lines += _files(host, plugin)
    lines += [f"{place}: goes on, and is ours from then on" for place in mounts.mounted(host)]
    if host.live:
        lines += [f"{one.said}: brings no other volumes any more" for one in sessions.vendors()]
        _look_at_configuration(refusals, host, plugin, archive)
    tell(lines)


def _files(host: Host, plugin: str) -> list[str]:
    lines = []
    for place in configuration(host, plugin):
        closed = "" if _open(host.path(place)) else f"; the group {users.AGENT} may read it"
        lines.append(f"{place}: stays as it is{closed}")
    if host.path(f"{plugin}/{BARRIER}").exists():
        text = "stays, and stops attach and detach on this node: see «instoragectl barrier plan»"
        lines.append(f"{plugin}/{BARRIER}: {text}")
    older = f"{plugin.rpartition('/')[0]}/{OLDER}"
    if host.path(older).is_dir():
        lines.append(f"{older}: left alone, it serves the PVs that name the driver inspur/instorage")
    return lines


def _look_at_configuration(refusals: Refusals, host: Host, plugin: str, archive: Path) -> None:
    """Have the new version read the configuration: with one that it cannot use no volume would end."""
    path = host.path(f"{plugin}/{CONFIGURATION}")
    if not path.is_file():
        return
    program = (str(archive / "node/bin/python3"), "-I", str(archive / "node/libexec/instorage-ext"))
    done = run(*program, "ext-check-cfg", str(path), errors=True, limit=ANSWER)
    judge(refusals, done)


def tell(lines: list[str]) -> None:
    """Say a list below its first line."""
    say("\n  ".join(lines))


def judge(refusals: Refusals, done: Done) -> None:
    """Refuse a configuration of which a version says that it is wrong, or that nothing will work with it."""
    broken = [done.said or f"it cannot be checked (status {done.status})."]
    for sentence in broken if done.status else UNFIT.findall(done.said):
        refusals.add(
            f"this version could not work with the vendor's configuration: {sentence.strip()} Mend it before "
            "(a password in place of a shadow, say); the vendor's plugin can read that, too."
        )


def configuration(host: Host, directory: str) -> list[str]:
    """Return the files of a configuration, of which there may be some besides the usual one; no sample."""
    files = host.path(f"{directory}/config").glob("[!.]*")
    found = (path.name for path in files if path.is_file() and path.suffix != ".sample")
    return sorted(f"{directory}/config/{name}" for name in found)


def _open(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o004)


def let_read(files: Files, place: str, user: str) -> None:
    """Let a service's group read a file that the vendor's program read as root."""
    path, group = files.host.path(place), users.number_of(files.host, "group", user)
    if _open(path) or not group or not is_root():
        return
    files.journal.keep(place)
    os.chown(path, -1, int(group))
    path.chmod(path.stat().st_mode & 0o7777 | 0o040)


def put_aside(files: Files, program: str) -> None:
    """Keep a program under another name, and so that nobody starts it by mistake."""
    files.write(f"{program}{ASIDE}", 0o644, files.host.path(program))


def keep(files: Files, plugin: str) -> None:
    """Keep the program beside its place, and let the agent read the configuration."""
    program = files.host.path(f"{plugin}/{STUB}")
    if has(program):
        put_aside(files, f"{plugin}/{STUB}")
        for place in configuration(files.host, plugin):
            let_read(files, place, users.AGENT)


def back(host: Host, program: str) -> str:
    """Return the command that puts a program back that is kept aside; nothing when there is none."""
    if not host.path(f"{program}{ASIDE}").exists():
        return ""
    return f"install -m 0755 {program}{ASIDE} {program}"
