"""Every command that a page has a person type: each line of its shell blocks, and those in its sentences.

tests/docs/tried.toml says how each is tried.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.docs.markdown import EVERY, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS: Final = (
    "instoragectl", "instorage-flexvolume", "instorage-provisioner", "instorage-simulator", "install.sh",
    "kubectl", "make", "systemctl", "journalctl", "systemd-analyze", "iscsiadm", "multipathd", "mcsop",
    "mcsinq", "ssh", "scp", "man", "dpkg", "rpm", "install", "rm", "sh", "python", "pytest", "semanage",
    "setsebool", "semodule", "restorecon", "ausearch", "ipmitool", "curl", "gdb", "jq", "cat", "cd", "chhost",
    "chmod", "chown", "chvdisk", "cp", "dmesg", "echo", "export", "find", "fsck", "grep", "ip", "ls", "lsblk",
    "lsfabric", "lshost", "lsvdisk", "mkdir", "mount", "multipath", "mv", "openssl", "printf", "rmhostport",
    "sed", "sudo", "systemd-run", "tar", "umount", "vi",
)  # fmt: skip
REMARK: Final = re.compile(r"\s+#\s.*$")
SETTING: Final = re.compile(r"^(?:[A-Z_]+=\S+ )+")
GENERAL: Final = re.compile(r"…|<[a-z]+>")  # a way to write many commands, not one


def commands(page: str) -> Iterator[str]:
    """Yield each command of a page, as it is printed, without remarks."""
    for token in parsed(page):
        if token.type == "code_block" or (token.type == "fence" and token.info in ("sh", "text")):
            lines = [" ".join(REMARK.sub("", line).split()) for line in token.content.splitlines()]
            yield from (line for line in lines if program(line))
        for child in token.children or ():
            words = " ".join(child.content.split())
            if child.type == "code_inline" and " " in words and program(words):
                yield words


def program(line: str) -> str:
    """Return the program that a line starts, «» when that is none of `PROGRAMS`."""
    if GENERAL.search(line):
        return ""
    first = SETTING.sub("", line).partition(" ")[0].rpartition("/")[2]
    return first if first in PROGRAMS else ""


def all_commands() -> dict[str, list[str]]:
    """Return each command of the English pages, and the pages that have it."""
    found: dict[str, list[str]] = {}
    for page in EVERY:
        if not page.endswith(".zh.md"):
            for command in commands(page):
                found.setdefault(command, []).append(page)
    return found
