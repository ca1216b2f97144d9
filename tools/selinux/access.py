"""What a domain may do to classes that matter for security, one line a rule, as the linked policy has it.

Kept in tests/selinux/access/, so that whatever widens a domain shows in a diff; `python -m tools.selinux`
writes the files anew. Rules of the distribution for every domain are in them: they are rights all the same.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

from tools.install import ROOT
from tools.lab.fault import LabFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.selinux.linked import Linked

FOLDER: Final = ROOT / "tests/selinux/access"
DOMAINS: Final = ("stub", "ext", "agent", "provisioner", "helper", "shutdown")
# Not in the list: sockets of the obsolete families that init_t may hand on to any daemon.
CLASSES: Final = (
    "blk_file", "bpf", "cap_userns", "capability", "capability2", "chr_file", "dbus", "dir", "fd",
    "fifo_file", "file", "filesystem", "kernel_service", "key", "lnk_file", "memprotect",
    "netlink_audit_socket", "netlink_iscsi_socket",
    "netlink_kobject_uevent_socket", "netlink_route_socket", "netlink_scsitransport_socket",
    "netlink_selinux_socket", "packet_socket", "process", "process2", "rawip_socket", "security", "service",
    "sock_file", "system", "tcp_socket", "udp_socket", "unix_dgram_socket", "unix_stream_socket",
)  # fmt: skip
LIMIT: Final = 120  # seconds for one question
_RULE: Final = re.compile(r"allow (\S+) (\S+):(\S+) (?:\{ (.*) \}|(\S+));(.*)")


def rules(linked: Linked, domain: str) -> list[str]:
    """Return «class target: permissions, [condition]» for all that a domain may do."""
    source = f"instorage_{domain}_t"
    known = set(said(linked, "seinfo", "--flat", "-c"))
    classes = ",".join(sorted(known.intersection(CLASSES)))
    found: dict[tuple[str, str, str], set[str]] = {}
    for line in said(linked, "sesearch", "-A", "-s", source, "-c", classes):
        match = _RULE.fullmatch(line)
        if match is None:
            raise LabFault("selinux-strange-rule", f"sesearch printed what is no rule: {line}")
        target = "self" if match[2] == source else match[2]
        rights = (match[4] or match[5]).split()
        found.setdefault((match[3], target, match[6].strip()), set()).update(rights)
    return [
        f"{kind} {target}: {' '.join(sorted(rights))}{' ' if condition else ''}{condition}"
        for (kind, target, condition), rights in sorted(found.items())
    ]


def file(domain: str) -> Path:
    """Return where the kept rules of a domain lie."""
    return FOLDER / f"instorage_{domain}_t"


def write(linked: Linked) -> Iterator[Path]:
    """Write what is kept anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for domain in DOMAINS:
        file(domain).write_text("".join(f"{line}\n" for line in rules(linked, domain)))
        yield file(domain)


def asked(linked: Linked, *question: str) -> list[str]:
    """Return the allow rules that answer a question in sesearch's words."""
    return [line for line in said(linked, "sesearch", "-A", *question) if line.startswith("allow ")]


def said(linked: Linked, program: str, *arguments: str) -> list[str]:
    """Return what `seinfo` or `sesearch` prints of the policy, without empty lines; LabFault."""
    policy = str(linked.policy)
    argv = [program, policy, *arguments] if program == "seinfo" else [program, *arguments, policy]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        raise LabFault("selinux-not-read", f"{' '.join(argv)} failed: {done.stderr.strip()}")
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
