"""What SELinux, or a filter of system calls, denied our domains: each as the rule that would allow it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

OURS: Final = re.compile(r"instorage_\w+_t", re.ASCII)
_AVC: Final = re.compile(
    r"avc:\s+denied\s+\{ (?P<rights>[^}]*) \} .*?scontext=(?P<source>\S+) tcontext=(?P<target>\S+) "
    r"tclass=(?P<kind>\w+)"
)
_SECCOMP: Final = re.compile(
    r"(?:type=1326|SECCOMP) .*?subj=(?P<source>\S+).*?comm=\"(?P<name>[^\"]*)\".*?syscall=(?P<number>\d+)"
)


def rules(lines: Iterable[str]) -> dict[str, str]:
    """Return the rule for each denial of a domain of ours in an audit log, and the first line that has it."""
    found: dict[str, str] = {}
    for line in lines:
        for rule in _rules_of(line):
            found.setdefault(rule, line.strip())
    return found


def _rules_of(line: str) -> list[str]:
    denied = _AVC.search(line) or _SECCOMP.search(line)
    source = _type(denied["source"]) if denied else ""
    if denied is None or not OURS.fullmatch(source):
        return []
    if denied.re is _SECCOMP:
        return [f"call {denied['number']} of {denied['name']} ({source}; SystemCallFilter=)"]
    target = _type(denied["target"])
    named = "self" if target == source else target
    return [f"allow {source} {named}:{denied['kind']} {right};" for right in denied["rights"].split()]


def _type(context: str) -> str:
    """Return the type of a label, user:role:type:level."""
    return context.split(":")[2] if context.count(":") >= 2 else context
