"""Who holds a volume's device open: processes, their mount namespaces and pods. Root alone sees all of them.

Read from /proc: links of descriptors and tables of mounts, no device is opened.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodeagent.administration.doctor.host import Host
    from nodeagent.administration.doctor.picture import Picture
    from nodeagent.diagnosis.finding import Finding

CODES = ("leftover", "unmapped-outside", "recorded-without-device", "mount-trouble")
"""Findings of volumes that something may keep from going."""
MOST = 5
_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f_-]{27})")


def named(host: Host, findings: Iterable[Finding], pictures: list[Picture]) -> Iterator[Finding]:
    """Yield the findings, those about a device that may be held with who holds it."""
    by_name = {one.name: one for one in pictures}
    for finding in findings:
        picture = by_name.get(finding.volume)
        if finding.code in CODES and picture and picture.here:
            said = _said(host, picture)
            yield dataclasses.replace(finding, cause=f"{finding.cause} {said}".strip())
        else:
            yield finding


def _said(host: Host, picture: Picture) -> str:
    built = picture.kernel.get("holders", ())
    words = [f"{one} is built on it" for one in built]
    try:
        found = seen(host, picture)
        words += [_words(one) for one in found[:MOST]]
    except (OSError, Fault):
        return "Who holds it cannot be seen."
    if not words:
        return ""
    more = f", and {len(found) - MOST} more" if len(found) > MOST else ""
    return f"It is held: {'; '.join(words)}{more}."


def seen(host: Host, picture: Picture) -> list[dict[str, Any]]:
    """Return the processes that have a volume open, or mounted elsewhere; OSError or Fault: not known."""
    return list(host.looks.answer(f"holders {picture.uid}", lambda: holders(_names(picture))))


def _words(one: dict[str, Any]) -> str:
    pod = f", pod {one['pod']}" if one["pod"] else ""
    return f"{one['name']} (process {one['pid']}, {one['how']}, mount namespace {one['namespace']}{pod})"


def _names(picture: Picture) -> set[str]:
    """Return the kernel's names of its paths, of the map over them, and of the partitions of both."""
    found: set[str] = set()
    fresh = {str(path["name"]) for path in picture.paths}
    while fresh:
        found |= fresh
        above = [Path("/sys/block") / name / "holders" for name in fresh]
        fresh = {one.name for at in above if at.is_dir() for one in at.iterdir()} - found
    return found | {
        one.parent.name for name in found for one in Path("/sys/block").glob(f"{name}/*/partition")
    }


def holders(
    names: set[str], proc: Path = Path("/proc"), block: Path = Path("/sys/class/block")
) -> list[dict[str, Any]]:
    """Return the processes that have one of these devices open, or mounted in a namespace of their own."""
    numbers = {number for name in names if (number := _text(block / name / "dev").strip())}
    init = _namespace(proc / "1")
    seen: set[str] = {init}
    found = []
    for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        namespace = _namespace(process)
        how = "has it open" if _opens(process, names) else ""
        if not how and namespace and namespace not in seen and _mounts(process, numbers):
            how = "has it mounted"
            seen.add(namespace)
        if how:
            group = _POD.search(_text(process / "cgroup"))
            found.append(
                {
                    "pid": int(process.name), "name": _name(process), "how": how,
                    "namespace": namespace, "pod": group[1].replace("_", "-") if group else "",
                }
            )  # fmt: skip
    return found


def _name(process: Path) -> str:
    """Return what a process calls itself: any character but those that a terminal would obey."""
    return "".join(one if one.isprintable() else "?" for one in _text(process / "comm").removesuffix("\n"))


def _opens(process: Path, names: set[str]) -> bool:
    try:
        links = list((process / "fd").iterdir())
    except OSError:
        return False
    for link in links:
        try:
            if os.readlink(link).removeprefix("/dev/") in names:  # noqa: PTH115  # a Path is not wanted
                return True
        except OSError:
            continue
    return False


def _mounts(process: Path, numbers: set[str]) -> bool:
    return any(
        line.split()[2:3] and line.split()[2] in numbers for line in _text(process / "mountinfo").splitlines()
    )


def _namespace(process: Path) -> str:
    try:
        return os.readlink(process / "ns/mnt").removeprefix("mnt:").strip("[]")  # noqa: PTH115
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
