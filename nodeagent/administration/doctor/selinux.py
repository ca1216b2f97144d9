"""What SELinux has to do with this host: our module in the policy, labels that are wrong, what was denied.

A host without SELinux has no finding; one whose answer cannot be had says so: that is not «nothing is wrong».
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nodeagent.administration.denials import rules
from nodeagent.administration.doctor import policy
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

KERNEL: Final = "/sys/fs/selinux"
# Of what is installed the programs: libraries are thousands of files, and have the label of their directory.
LABELLED: Final = (
    "/usr/lib/instorage/current/libexec", "/etc/instorage", "/var/lib/instorage", "/var/lib/instorage-helper",
    "/var/log/instorage", "/run/instorage",
    "/var/lib/instorage-provisioner", "/var/log/instorage-provisioner",
)  # fmt: skip
OF_PROVISIONER: Final = ("instorage-provisioner", "instoragectl", "config", "log")  # of its folder, alike
MODES: Final = {"0": "permissive", "1": "enforcing"}
SHOWN: Final = 10  # denials, labels
NEWEST: Final = "4000"  # lines of the journal
LOAD: Final = "sh /usr/share/instorage-selinux/load.sh load (package instorage-selinux), or install.sh --node"
DENIED: Final = "journalctl -b _TRANSPORT=audit + _TRANSPORT=kernel | grep -E 'avc: .*instorage_'"
_WRONG: Final = re.compile(r"(?:Would relabel|restorecon reset|Would reset) (\S+) .*", re.IGNORECASE)


def check(host: Host) -> Iterator[Finding]:
    """Find what is not as it should be; that SELinux is off, or permissive, is none."""
    try:
        mode = host.looks.text(f"{KERNEL}/enforce").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        yield _finding(f"The mode of SELinux cannot be read ({error.strerror}).", "getenforce")
        return
    mode = MODES.get(mode, mode)
    if host.looks.facts(f"{KERNEL}/booleans/instorage_anywhere") is None:
        yield _note(f"SELinux is {mode}.")
        yield _finding("The policy of this host has no module of ours: the services run unconfined.", LOAD)
        return
    yield from _module(host, mode)
    yield from _labels(host)
    yield from _denials(host)


def _note(sentence: str) -> Finding:
    return Finding("selinux", "selinux", Severity.OK, sentence, proof=KERNEL)


def _finding(sentence: str, command: str, proof: str = KERNEL) -> Finding:
    return Finding(
        "selinux", "selinux", Severity.WARNING, sentence,
        risk="Our services are confined less than they could be, or denied what they need.",
        command=command, proof=proof,
    )  # fmt: skip


def _module(host: Host, mode: str) -> Iterator[Finding]:
    loaded = policy.loaded(host)
    if not loaded:
        yield _note(f"SELinux is {mode}.")
        yield _finding("The module instorage is loaded, and nothing says which version: load it again.", LOAD)
        return
    yield _note(f"SELinux is {mode}; its policy has the module instorage {loaded.split()[0]}.")
    try:
        brought = policy.brought(host)
    except OSError as error:
        text = f"Whether the module is the one that is installed cannot be found out ({error.strerror})."
        yield _finding(text, LOAD, str(error.filename))
        return
    if brought and loaded not in brought.values():
        folder, mark = next(iter(brought.items()))
        text = f"The policy has the module instorage {loaded}, and what is installed brings another: {mark}."
        yield _finding(text, f"sh {folder}/load.sh load", policy.LOADED)


def _labels(host: Host) -> Iterator[Finding]:
    of_provisioner = (f"{host.setup.provisioner}/{name}" for name in OF_PROVISIONER if host.setup.provisioner)
    known = (*LABELLED, host.setup.plugin, *of_provisioner)
    folders = [path for path in known if host.looks.facts(path) is not None]
    if not folders:
        return
    command = f"restorecon -Rv {' '.join(folders)}"
    ask = ("restorecon", "-n", "-v", "-R", *folders)
    shown = _shown(host, *ask)
    if shown is None:
        text = "Whether files have their labels cannot be found out: restorecon did not answer."
        yield _finding(text, command, _why_not(host, *ask))
        return
    wrong = [match[1] for match in map(_WRONG.match, shown.splitlines()) if match]
    for path in wrong[:SHOWN]:
        yield _finding(f"{path} has a label that is not its own.", command)
    if wrong[SHOWN:]:
        yield _finding(f"{len(wrong) - SHOWN} files more have labels that are not their own.", command)


def _denials(host: Host) -> Iterator[Finding]:
    # The newest, as many as a text has room for: the journal of a host that audits much takes minutes.
    ask = (
        *("journalctl", "-q", "-b", "-r", "-n", NEWEST, "--no-pager", "-o", "cat"),
        *("_TRANSPORT=audit", "+", "_TRANSPORT=kernel"),
    )
    host.looks.run(*ask, keep=_denials_alone)  # asked first: what strangers audit must not be kept
    shown = _shown(host, *ask)
    if shown is None:
        text = "What was denied cannot be found out: journalctl did not answer."
        yield _finding(text, DENIED, _why_not(host, *ask))
        return
    for rule in list(rules(shown.splitlines()))[:SHOWN]:
        yield _finding(f"Denied since the boot, and to be allowed by «{rule}» if it was right.", DENIED)


def _denials_alone(text: str) -> str:
    """Return the lines that say what was denied to us: others have command lines, and passwords, in them."""
    return "".join(f"{line}\n" for line in text.splitlines() if rules([line]))


def _shown(host: Host, program: str, *arguments: str) -> str | None:
    """Return what a program of the host prints; None when it is not there, failed, or took too long."""
    ran = host.looks.run(program, *arguments)
    return ran.out if ran is not None and ran.status == 0 else None


def _why_not(host: Host, program: str, *arguments: str) -> str:
    """Return how a program that gave no answer ended; it is not run again."""
    ran = host.looks.run(program, *arguments)
    if ran is None:
        return f"{program}: not installed"
    return f"{program}: status {ran.status} {ran.errors.strip()[-200:]}".rstrip()
